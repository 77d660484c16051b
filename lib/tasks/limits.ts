import type { Limits } from '../sandbox/sandbox.ts';

// What a user may ask for, and what holds when a task does not say. docs/security.md names enforcers.

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

const MiB = 1024 * 1024;

/** What a command may use besides wall time and memory: the least and the most to ask for. */
export const LIMIT_RANGES = {
  /** Of one process. */
  cpuSeconds: { min: 1, max: 4 * MAX_TIMEOUT_SECONDS },
  processes: { min: 1, max: 256 },
  /** One file. */
  fileMb: { min: 1, max: 1024 },
  /** All that it writes, together. */
  diskMb: { min: 1, max: 1024 },
  /** Of one process. */
  openFiles: { min: 16, max: 1024 },
  /** Kept; what comes beyond is counted and dropped. More would not fit into Lambda's answer. */
  stdoutBytes: { min: 0, max: MiB },
  stderrBytes: { min: 0, max: MiB },
} as const;

export type TaskLimits = Readonly<Record<keyof typeof LIMIT_RANGES, number>>;

/** The limits that hold for what a user does not say. */
export function usualLimits(timeoutSeconds: number): TaskLimits {
  return {
    // A command may use several processors.
    cpuSeconds: 4 * timeoutSeconds,
    processes: 64,
    fileMb: 64,
    diskMb: 128,
    openFiles: 256,
    stdoutBytes: MiB,
    stderrBytes: MiB,
  };
}

/** A task's limits in the units of the sandbox. */
export function sandboxLimits(task: {
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly limits: TaskLimits;
}): Limits {
  const { cpuSeconds, fileMb, diskMb, ...same } = task.limits;
  return {
    ...same,
    wallMs: task.timeoutSeconds * 1000,
    cpuMs: cpuSeconds * 1000,
    memoryBytes: task.memoryMb * MiB,
    fileBytes: fileMb * MiB,
    diskBytes: diskMb * MiB,
  };
}
