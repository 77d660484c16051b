/** What a user may ask for, and what holds when a task does not say. Enforcers: lib/sandbox. */

/** A command is one argument of `sh -c`, and Linux takes 128 KiB for one (MAX_ARG_STRLEN). */
export const MAX_COMMAND_BYTES = 64 * 1024;
export const MAX_ARGV_ITEMS = 1024;
export const MAX_STDIN_BYTES = 512 * 1024;
export const MAX_ENV_BYTES = 32 * 1024;
export const MAX_LABELS = 32;
export const MAX_LABEL_BYTES = 256;

export const DEFAULT_TIMEOUT_SECONDS = 60;
/** A Lambda function lives for 900 s at most, of which the worker keeps a margin to settle. */
export const MAX_TIMEOUT_SECONDS = 840;

export const DEFAULT_MEMORY_MB = 256;
export const MIN_MEMORY_MB = 16;
export const MAX_MEMORY_MB = 2048;

export const MAX_MAX_ATTEMPTS = 10;
export const DEFAULT_RETRY_DELAY_SECONDS = 10;
export const MAX_RETRY_DELAY_SECONDS = 3600;
/** A year. The relay holds what the queue cannot delay so long. */
export const MAX_START_DELAY_SECONDS = 365 * 86_400;

/** The same for every task: what a user has no need to choose. */
export const FIXED_LIMITS = {
  processes: 64,
  fileBytes: 64 * 1024 * 1024,
  diskBytes: 128 * 1024 * 1024,
  openFiles: 256,
  stdoutBytes: 1024 * 1024,
  stderrBytes: 1024 * 1024,
} as const;
