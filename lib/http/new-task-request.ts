import * as z from 'zod';
import type { Program } from '../sandbox/sandbox.ts';
import {
  DEFAULT_MEMORY_MB,
  DEFAULT_RETRY_DELAY_SECONDS,
  DEFAULT_TIMEOUT_SECONDS,
  MAX_MAX_ATTEMPTS,
  MAX_MEMORY_MB,
  MAX_RETRY_DELAY_SECONDS,
  MAX_START_DELAY_SECONDS,
  MAX_TIMEOUT_SECONDS,
  MIN_MEMORY_MB,
  usualLimits,
} from '../tasks/limits.ts';
import type { NewTask } from '../tasks/task.ts';
import {
  argv,
  command,
  env,
  labels,
  limits,
  runAt,
  stdin,
  wholeNumber,
} from './new-task-fields.ts';

/** The most tasks of one batch. */
const MAX_BATCH = 1000;

/** Body of `POST /api/tasks`. */
export const NewTaskRequest = z
  .strictObject(
    {
      command: command.optional(),
      argv: argv.optional(),
      stdin: stdin.default(''),
      env: env.default({}),
      timeoutSeconds: wholeNumber(1, MAX_TIMEOUT_SECONDS)
        .default(DEFAULT_TIMEOUT_SECONDS)
        .meta({ description: 'Then the command gets SIGTERM, and SIGKILL two seconds later.' }),
      memoryMb: wholeNumber(MIN_MEMORY_MB, MAX_MEMORY_MB)
        .default(DEFAULT_MEMORY_MB)
        .meta({ description: 'Memory of the command and all its children together, in MiB.' }),
      limits: limits.default({}),
      labels: labels.default({}),
      maxAttempts: wholeNumber(1, MAX_MAX_ATTEMPTS)
        .default(1)
        .meta({ description: 'How often a command that fails is run.' }),
      retryDelaySeconds: wholeNumber(0, MAX_RETRY_DELAY_SECONDS)
        .default(DEFAULT_RETRY_DELAY_SECONDS)
        .meta({
          description:
            'Base of the back-off between attempts, which doubles and is drawn at random up to that.',
        }),
      runAt: runAt.optional(),
      delaySeconds: wholeNumber(0, MAX_START_DELAY_SECONDS)
        .optional()
        .meta({ description: 'Start so much later. Either this or `runAt`.' }),
      onWorkerLost: z
        .enum(['rerun', 'fail'], { error: 'must be "rerun" or "fail"' })
        .default('rerun')
        .meta({
          description:
            'What to do when a worker vanishes while it runs the command: `fail` is for a command that must never start twice.',
        }),
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
      limits: { ...usualLimits(request.timeoutSeconds), ...request.limits },
      // The past is no time to wait for, and Postgres does not know all of it (the year 0).
      runAt: request.runAt && request.runAt.getTime() > Date.now() ? request.runAt : undefined,
      delaySeconds: request.delaySeconds ?? 0,
    };
  })
  .meta({
    id: 'NewTask',
    description: 'A command to run. Fields that are not listed here are refused.',
    // As the transformation checks them.
    oneOf: [{ required: ['command'] }, { required: ['argv'] }],
    not: { required: ['runAt', 'delaySeconds'] },
    // zod leaves out the examples of what it transforms, as they could be of either side.
    override: {
      examples: [
        { command: 'echo hello' },
        {
          argv: ['python3', '-c', 'print(6 * 7)'],
          timeoutSeconds: 10,
          memoryMb: 64,
          maxAttempts: 3,
          labels: { team: 'search' },
        },
      ],
    },
  });

/** Body of `POST /api/tasks/batch`. */
export const NewTasksRequest = z
  .strictObject(
    {
      tasks: z
        .array(NewTaskRequest, { error: 'must be an array of tasks' })
        .min(1, 'must not be empty')
        .max(MAX_BATCH, `must not have more than ${MAX_BATCH} items`),
    },
    { error: 'must be a JSON object' },
  )
  .meta({
    id: 'NewTasks',
    description: 'Commands to run: all of them are accepted, or none.',
    override: { examples: [{ tasks: [{ command: 'echo one' }, { command: 'echo two' }] }] },
  });

function programOf(request: { command?: string | undefined; argv?: string[] | undefined }) {
  const { command, argv } = request;
  if (command !== undefined && argv === undefined) {
    return { kind: 'shell', command } satisfies Program;
  }
  if (argv !== undefined && command === undefined) return { kind: 'argv', argv } satisfies Program;
  return undefined;
}
