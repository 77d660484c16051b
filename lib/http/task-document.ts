import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.
import { SANDBOX_TIERS } from '../sandbox/sandbox.ts';
import { FAILURE_CODES, TASK_STATUSES } from '../tasks/task.ts';

// What answers say about tasks. `task-view.ts` makes it, and is held to it by the compiler; a `Date`
// is RFC 3339 in UTC once it is JSON.

const count = z.int().min(0);
const status = z.enum(TASK_STATUSES);

const Failure = z.object({
  code: z.enum(FAILURE_CODES),
  message: z.string().meta({ description: 'One sentence for people.' }),
});

/** How an execution ended. */
const result = {
  exitCode: z.int().min(0).max(255).nullable().meta({
    description: 'Null when a signal or a limit ended the command, and while it has not ended.',
  }),
  signal: z
    .string()
    .nullable()
    .meta({ description: 'The signal that ended the command, as in `SIGSEGV`.' }),
  usage: z
    .object({
      wallMs: count,
      cpuMs: count.nullable(),
      maxRssBytes: count.nullable().meta({ description: 'The most memory of the whole tree.' }),
    })
    .nullable(),
  failure: Failure.nullable().meta({ description: 'Why it failed, if it did.' }),
};

const limits = z
  .object({
    cpuSeconds: count,
    processes: count,
    fileMb: count,
    diskMb: count,
    openFiles: count,
    stdoutBytes: count,
    stderrBytes: count,
  })
  .meta({ description: 'All limits that hold for it.' });

export const TaskSummaryDocument = z
  .object({
    id: z.uuid(),
    command: z.string().exactOptional(),
    argv: z.array(z.string()).exactOptional(),
    status,
    attempt: count.meta({ description: 'The number of the newest attempt; 0 before the first.' }),
    maxAttempts: count,
    retryDelaySeconds: count,
    onWorkerLost: z.enum(['rerun', 'fail']),
    ...result,
    timeoutSeconds: count,
    memoryMb: count,
    limits,
    labels: z.record(z.string(), z.string()),
    createdAt: z.date(),
    runAt: z.date().meta({ description: 'Not started before.' }),
    startedAt: z.date().nullable(),
    finishedAt: z.date().nullable(),
    cancelRequestedAt: z.date().nullable(),
  })
  .meta({
    id: 'TaskSummary',
    description: 'A task without its output and its attempts.',
    oneOf: [{ required: ['command'] }, { required: ['argv'] }],
  });

const AttemptDocument = z
  .object({
    number: z.int().min(1),
    status: status.exclude(['queued']),
    ...result,
    sandboxTier: z.enum(SANDBOX_TIERS).meta({ description: 'How it was isolated.' }),
    startedAt: z.date(),
    finishedAt: z.date().nullable(),
  })
  .meta({ id: 'Attempt', description: 'One execution of a command.' });

const output = z.string().nullable().meta({
  description: 'What the newest attempt wrote so far, up to the limit; null before the first.',
});
const encoding = z
  .enum(['utf8', 'base64'])
  .meta({ description: '`base64` where the output is not text.' });
const truncated = z
  .boolean()
  .meta({ description: 'Whether there was more than the limit, which was dropped.' });
const bytes = count.meta({ description: 'How much was written, kept or not.' });

export const TaskDocument = TaskSummaryDocument.extend({
  stdout: output,
  stdoutEncoding: encoding.exactOptional(),
  stdoutTruncated: truncated.exactOptional(),
  stdoutBytes: bytes.exactOptional(),
  stderr: output,
  stderrEncoding: encoding.exactOptional(),
  stderrTruncated: truncated.exactOptional(),
  stderrBytes: bytes.exactOptional(),
  attempts: z.array(AttemptDocument).meta({ description: 'Every execution, oldest first.' }),
}).meta({
  id: 'Task',
  description: 'A task. What is said of an ending is that of its newest attempt.',
  oneOf: [{ required: ['command'] }, { required: ['argv'] }],
});

export const TaskPageDocument = z
  .object({
    items: z.array(TaskSummaryDocument),
    nextCursor: z.string().nullable().meta({
      description: 'For the next page. Null at the end; a page before the end may be short.',
    }),
  })
  .meta({ id: 'TaskPage' });

export const TaskBatchDocument = z
  .object({ items: z.array(TaskSummaryDocument) })
  .meta({ id: 'TaskBatch', description: 'The tasks of a batch, in its order.' });
