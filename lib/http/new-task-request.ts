import * as z from 'zod';
import type { Program } from '../sandbox/sandbox.ts';
import {
  DEFAULT_MEMORY_MB,
  DEFAULT_RETRY_DELAY_SECONDS,
  DEFAULT_TIMEOUT_SECONDS,
  LIMIT_RANGES,
  MAX_ARGV_ITEMS,
  MAX_COMMAND_BYTES,
  MAX_ENV_BYTES,
  MAX_LABEL_BYTES,
  MAX_LABELS,
  MAX_MAX_ATTEMPTS,
  MAX_MEMORY_MB,
  MAX_RETRY_DELAY_SECONDS,
  MAX_START_DELAY_SECONDS,
  MAX_STDIN_BYTES,
  MAX_TIMEOUT_SECONDS,
  MIN_MEMORY_MB,
  usualLimits,
} from '../tasks/limits.ts';
import type { NewTask } from '../tasks/task.ts';

const bytesOf = (texts: readonly string[]) =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

const text = z
  .string({ error: 'must be a string' })
  .refine((value) => value.isWellFormed(), 'must not contain a lone surrogate (invalid Unicode)');

/** Text that reaches a process as an argument or in its environment, where NUL ends a string. */
const argument = text.refine((value) => !value.includes('\0'), 'must not contain a NUL byte');

const command = argument
  .refine((value) => value.trim() !== '', 'must not be empty')
  .refine(
    (value) => Buffer.byteLength(value) <= MAX_COMMAND_BYTES,
    `must not be longer than ${MAX_COMMAND_BYTES} bytes`,
  );

const argv = z
  .array(argument, { error: 'must be an array of strings' })
  .min(1, 'must name a program')
  .max(MAX_ARGV_ITEMS, `must not have more than ${MAX_ARGV_ITEMS} items`)
  .refine(([program]) => program !== '', { error: 'must not be empty', path: [0] })
  .refine(
    (items) => bytesOf(items) <= MAX_COMMAND_BYTES,
    `must not be longer than ${MAX_COMMAND_BYTES} bytes together`,
  );

const stdin = text.refine(
  (value) => Buffer.byteLength(value) <= MAX_STDIN_BYTES,
  `must not be longer than ${MAX_STDIN_BYTES} bytes`,
);

const env = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), argument, {
    error: (issue) =>
      issue.code === 'invalid_key'
        ? 'must be a name of letters, digits and "_", not starting with a digit'
        : 'must be an object of strings',
  })
  .refine(
    (vars) => bytesOf(Object.entries(vars).flat()) <= MAX_ENV_BYTES,
    `must not be longer than ${MAX_ENV_BYTES} bytes together`,
  );

/** A label's key or value: short, and without NUL, which Postgres stores in no text. */
const label = argument.refine(
  (value) => Buffer.byteLength(value) <= MAX_LABEL_BYTES,
  `must not be longer than ${MAX_LABEL_BYTES} bytes`,
);

const labels = z
  .record(label.min(1, 'must not be empty'), label, {
    error: (issue) =>
      issue.code === 'invalid_key'
        ? `must be 1 to ${MAX_LABEL_BYTES} bytes of text`
        : 'must be an object of strings',
  })
  .refine(
    (entries) => Object.keys(entries).length <= MAX_LABELS,
    `must not have more than ${MAX_LABELS} entries`,
  );

function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, error).max(max, error);
}

/** Only what a task says; the rest is usual. */
const limits = z.strictObject(
  {
    cpuSeconds: limit('cpuSeconds'),
    processes: limit('processes'),
    fileMb: limit('fileMb'),
    diskMb: limit('diskMb'),
    openFiles: limit('openFiles'),
    stdoutBytes: limit('stdoutBytes'),
    stderrBytes: limit('stderrBytes'),
  },
  { error: 'must be an object of whole numbers' },
);

function limit(name: keyof typeof LIMIT_RANGES) {
  const { min, max } = LIMIT_RANGES[name];
  return wholeNumber(min, max).optional();
}

/** An instant with its offset. One that has passed means now. */
const runAt = z.iso
  .datetime({ offset: true, error: 'must be a time as in 2030-01-31T12:00:00Z' })
  .transform((instant) => new Date(instant))
  .refine(
    (instant) => instant.getTime() < Date.now() + MAX_START_DELAY_SECONDS * 1000,
    'must not be more than a year ahead',
  );

/** Body of `POST /api/tasks`. */
export const NewTaskRequest = z
  .strictObject(
    {
      command: command.optional(),
      argv: argv.optional(),
      stdin: stdin.default(''),
      env: env.default({}),
      timeoutSeconds: wholeNumber(1, MAX_TIMEOUT_SECONDS).default(DEFAULT_TIMEOUT_SECONDS),
      memoryMb: wholeNumber(MIN_MEMORY_MB, MAX_MEMORY_MB).default(DEFAULT_MEMORY_MB),
      limits: limits.default({}),
      labels: labels.default({}),
      maxAttempts: wholeNumber(1, MAX_MAX_ATTEMPTS).default(1),
      retryDelaySeconds: wholeNumber(0, MAX_RETRY_DELAY_SECONDS).default(
        DEFAULT_RETRY_DELAY_SECONDS,
      ),
      runAt: runAt.optional(),
      delaySeconds: wholeNumber(0, MAX_START_DELAY_SECONDS).optional(),
      onWorkerLost: z
        .enum(['rerun', 'fail'], { error: 'must be "rerun" or "fail"' })
        .default('rerun'),
    },
    { error: 'must be a JSON object' },
  )
  .transform((request, context): NewTask => {
    const program = programOf(request);
    if (!program) {
      const both = request.command !== undefined;
      context.addIssue({
        code: 'custom',
        path: ['command'],
        message: both ? 'must not be given together with argv' : 'is missing: give command or argv',
      });
      return z.NEVER;
    }
    if (request.runAt && request.delaySeconds !== undefined) {
      context.addIssue({
        code: 'custom',
        path: ['delaySeconds'],
        message: 'must not be given together with runAt',
      });
      return z.NEVER;
    }
    const { command: _command, argv: _argv, ...rest } = request;
    return {
      ...rest,
      program,
      stdin: Buffer.from(request.stdin),
      limits: { ...usualLimits(request.timeoutSeconds), ...withoutUndefined(request.limits) },
      // The past is no time to wait for, and Postgres does not know all of it (the year 0).
      runAt: request.runAt && request.runAt.getTime() > Date.now() ? request.runAt : undefined,
      delaySeconds: request.delaySeconds ?? 0,
    };
  });

function programOf(request: { command?: string | undefined; argv?: string[] | undefined }) {
  const { command, argv } = request;
  if (command !== undefined && argv === undefined) {
    return { kind: 'shell', command } satisfies Program;
  }
  if (argv !== undefined && command === undefined) return { kind: 'argv', argv } satisfies Program;
  return undefined;
}

function withoutUndefined<T extends object>(fields: T): { [K in keyof T]: NonNullable<T[K]> } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]: NonNullable<T[K]> };
}
