import fc, { type Arbitrary } from 'fast-check';
import type { Sql } from '../../lib/db/connection.ts';
import { cursorAfter } from '../../lib/http/task-requests.ts';
import { settleAttempt } from '../../lib/tasks/attempt-store.ts';
import { seqBefore } from '../../lib/tasks/output-store.ts';
import { settlementOf } from '../../lib/tasks/settlement.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel } from '../../lib/tasks/task-store.ts';
import { ACTOR, aTaskId, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import type { KnownValues } from './requests.ts';

/** Stores tasks in every status, for requests to name. */
export async function storeKnownTasks(sql: Sql): Promise<KnownValues> {
  const ids = await Promise.all([
    ...Array.from({ length: 10 }, () => storeTask(sql, { labels: { team: 'search' } })),
    storeTask(sql, { argv: ['echo', 'a b', ''] }),
    ...Array.from({ length: 3 }, () => storeRunning(sql)),
    ...Array.from({ length: 3 }, () => storeCancelled(sql)),
    storeEnded(sql, 0, Buffer.from('hello\n')),
    storeEnded(sql, 1, Buffer.from([0xff, 0x00, 0xfe])),
    storeEnded(sql, 137, Buffer.alloc(70_000, '\u0001')),
  ]);
  return {
    taskId: fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...ids) },
      fc.constantFrom(...ids).map((id) => id.toUpperCase()),
      fc.constant(aTaskId()),
    ),
    cursor: fc.oneof(
      fc.constantFrom(...ids).map((id) => cursorAfter({ createdAt: new Date(), id })),
      fc.string({ maxLength: 10 }),
    ),
    // Waiting in earnest is for other tests: here it would take most of the time.
    wait: fc.constant('0'),
    Prefer: preference,
    'Idempotency-Key': fc.constantFrom('a', 'b', 'c', 'backup-2030-01-31', '~'.repeat(255)),
    attempt: fc.integer({ min: 1, max: 3 }).map(String),
  };
}

const preference: Arbitrary<string> = fc.constantFrom(
  'wait=0',
  'respond-async, wait=0',
  'wait="0"',
);

async function storeRunning(sql: Sql): Promise<TaskId> {
  const task = await storeTask(sql);
  await claimed(sql, task);
  return task;
}

async function storeCancelled(sql: Sql): Promise<TaskId> {
  const task = await storeTask(sql);
  await requestCancel(sql, ACTOR, task);
  return task;
}

async function storeEnded(sql: Sql, exitCode: number, stdout: Buffer): Promise<TaskId> {
  const task = await storeTask(sql);
  const claim = await claimed(sql, task);
  const settlement = settlementOf({
    ending: { kind: 'exited', exitCode },
    stdout: { bytes: stdout, totalBytes: stdout.length + 1, truncated: true },
    stderr: { bytes: Buffer.alloc(0), totalBytes: 0, truncated: false },
    usage: { wallMs: 12, cpuMs: 3, maxRssBytes: null },
  });
  await settleAttempt(sql, claim, settlement, {
    firstSeq: seqBefore(1) + 1,
    chunks: [{ stream: 'stdout', bytes: stdout }],
  });
  return task;
}
