import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.
import {
  LIMIT_RANGES,
  MAX_ARGV_ITEMS,
  MAX_COMMAND_BYTES,
  MAX_ENV_BYTES,
  MAX_LABEL_BYTES,
  MAX_LABELS,
  MAX_START_DELAY_SECONDS,
  MAX_STDIN_BYTES,
} from '../tasks/limits.ts';

// What the fields of a new task must be, and what the OpenAPI document says about them. JSON Schema
// counts characters where we count bytes: `maxLength` is what it can say of that.

const bytesOf = (texts: readonly string[]) =>
  texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0);

const text = z
  .string({ error: 'must be a string' })
  .refine((value) => value.isWellFormed(), 'must not contain a lone surrogate (invalid Unicode)');

const NO_NUL = /^[^\0]*$/;

/** Text that reaches a process as an argument or in its environment, where NUL ends a string. */
const argument = text.regex(NO_NUL, 'must not contain a NUL byte');

export const command = argument
  .regex(/\S/, 'must not be empty')
  .refine(
    (value) => Buffer.byteLength(value) <= MAX_COMMAND_BYTES,
    `must not be longer than ${MAX_COMMAND_BYTES} bytes`,
  )
  .meta({
    description: `Run by \`sh -c\`. Up to ${MAX_COMMAND_BYTES} bytes of UTF-8. Either this or \`argv\`.`,
    maxLength: MAX_COMMAND_BYTES,
    examples: ['echo hello'],
  });

export const argv = z
  .array(argument, { error: 'must be an array of strings' })
  .min(1, 'must name a program')
  .max(MAX_ARGV_ITEMS, `must not have more than ${MAX_ARGV_ITEMS} items`)
  .refine(([program]) => program !== '', { error: 'must not be empty', path: [0] })
  .refine(
    (items) => bytesOf(items) <= MAX_COMMAND_BYTES,
    `must not be longer than ${MAX_COMMAND_BYTES} bytes together`,
  )
  .meta({
    description: `A program and its arguments, run without a shell. Up to ${MAX_COMMAND_BYTES} bytes together. Either this or \`command\`.`,
    prefixItems: [{ type: 'string', minLength: 1, pattern: NO_NUL.source }],
    examples: [['echo', 'hello']],
  });

export const stdin = text
  .refine(
    (value) => Buffer.byteLength(value) <= MAX_STDIN_BYTES,
    `must not be longer than ${MAX_STDIN_BYTES} bytes`,
  )
  .meta({
    description: `Fed to the command. Up to ${MAX_STDIN_BYTES} bytes of UTF-8.`,
    maxLength: MAX_STDIN_BYTES,
  });

export const env = z
  .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/), argument, {
    error: (issue) =>
      issue.code === 'invalid_key'
        ? 'must be a name of letters, digits and "_", not starting with a digit'
        : 'must be an object of strings',
  })
  .refine(
    (vars) => bytesOf(Object.entries(vars).flat()) <= MAX_ENV_BYTES,
    `must not be longer than ${MAX_ENV_BYTES} bytes together`,
  )
  .meta({
    description: `Environment variables, up to ${MAX_ENV_BYTES} bytes together. Besides them there are \`PATH\`, \`HOME\`, \`PWD\` and \`LANG\` only.`,
    examples: [{ GREETING: 'hello' }],
  });

/** A label's key or value: short, and without NUL, which Postgres stores in no text. */
const label = argument
  .refine(
    (value) => Buffer.byteLength(value) <= MAX_LABEL_BYTES,
    `must not be longer than ${MAX_LABEL_BYTES} bytes`,
  )
  .meta({ maxLength: MAX_LABEL_BYTES });

export const labels = z
  .record(label.min(1, 'must not be empty'), label, {
    error: (issue) =>
      issue.code === 'invalid_key'
        ? `must be 1 to ${MAX_LABEL_BYTES} bytes of text`
        : 'must be an object of strings',
  })
  .refine(
    (entries) => Object.keys(entries).length <= MAX_LABELS,
    `must not have more than ${MAX_LABELS} entries`,
  )
  .meta({
    description: 'Yours to use, and to find tasks by.',
    maxProperties: MAX_LABELS,
    examples: [{ team: 'search' }],
  });

export function wholeNumber(min: number, max: number) {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.int({ error }).min(min, error).max(max, error);
}

/** Only what a task says; the rest is usual. */
export const limits = z
  .strictObject(
    {
      cpuSeconds: limit('cpuSeconds', 'CPU time of one process. By default 4 x `timeoutSeconds`.'),
      processes: limit('processes', 'Processes and threads at a time. By default 64.'),
      fileMb: limit('fileMb', 'One file. By default 64.'),
      diskMb: limit('diskMb', 'All that it writes, together. By default 128.'),
      openFiles: limit('openFiles', 'Open files of one process. By default 256.'),
      stdoutBytes: limit('stdoutBytes', 'Kept of stdout. By default all that may be asked for.'),
      stderrBytes: limit('stderrBytes', 'Kept of stderr. By default all that may be asked for.'),
    },
    { error: 'must be an object of whole numbers' },
  )
  .meta({ description: 'Further limits of the sandbox.' });

function limit(name: keyof typeof LIMIT_RANGES, description: string) {
  const { min, max } = LIMIT_RANGES[name];
  return wholeNumber(min, max).meta({ description }).exactOptional();
}

/** An instant with its offset. One that has passed means now. */
export const runAt = z.iso
  .datetime({ offset: true, error: 'must be a time as in 2030-01-31T12:00:00Z' })
  .transform((instant) => new Date(instant))
  .refine(
    (instant) => instant.getTime() < Date.now() + MAX_START_DELAY_SECONDS * 1000,
    'must not be more than a year ahead',
  )
  .meta({
    description:
      'When to start: RFC 3339 with an offset, at most a year ahead. What has passed means now.',
  });
