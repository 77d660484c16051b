import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import { settleAttempt } from '../../lib/tasks/attempt-store.ts';
import { type CancelTask, makeCancelTask } from '../../lib/tasks/cancel-task.ts';
import { makeRetryTask, type RetryTask } from '../../lib/tasks/retry-task.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { findIllegalStates, findIllegalSteps, recordHistory } from '../../scripts/chaos/history.ts';
import { ACTOR, expireLease, storeTask, type TaskFields } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { useQueue } from '../support/queue.ts';
import { quiet } from '../support/quiet.ts';
import { owedTasks, theTask } from '../support/rows.ts';
import { runBehindLock } from './in-order.ts';
import { claim, deleteNow, MOVES, type Move, moves, type Subject } from './moves.ts';
import { FAILED, NO_OUTPUT } from './settlements.ts';

const database = useDatabase();
const broker = useQueue();
let sql: Sql;
beforeAll(async () => {
  sql = database.connect({ poolMax: 12 });
  await recordHistory(sql);
});
beforeEach(async () => {
  await sql`truncate errand.tasks, audit.steps cascade`;
});

const cancelTask: CancelTask = (...args) => makeCancelTask({ sql })(...args);
const retryTask: RetryTask = (...args) =>
  makeRetryTask({ sql, queue: broker.queue, logger: quiet })(...args);

const RETRIED = { maxAttempts: 3, retryDelaySeconds: 0 };

async function aQueued(fields: TaskFields = RETRIED): Promise<Subject> {
  const id = await storeTask(sql, fields);
  await sql`update errand.tasks set nudge_at = now() - interval '1 second' where id = ${id}`;
  return { id, attempt: 1 };
}

async function aRunning(fields: TaskFields = RETRIED): Promise<Subject> {
  const subject = await aQueued(fields);
  await claim(sql, subject.id);
  return subject;
}

async function anExpired(fields: TaskFields = RETRIED): Promise<Subject> {
  const subject = await aRunning(fields);
  await expireLease(sql, subject.id);
  return subject;
}

async function aFailed(): Promise<Subject> {
  const subject = await aRunning({ maxAttempts: 1 });
  await settleAttempt(sql, { taskId: subject.id, attempt: 1 }, FAILED, NO_OUTPUT);
  return subject;
}

const BEGINNINGS = {
  'is queued': aQueued,
  runs: aRunning,
  'runs for a worker that vanished': anExpired,
  'has failed': aFailed,
};

/** The moves, in this order, each waiting for the one before with an old snapshot. */
const together = (subject: Subject, ...names: Move[]) =>
  runBehindLock(
    sql,
    subject.id,
    names.map((name) => () => moves[name](sql, subject)),
  );

const statusOf = async ({ id }: Subject) => (await theTask(sql, id)).status;

async function expectLegalHistory(told: string): Promise<void> {
  expect([told, ...(await findIllegalSteps(sql))]).toEqual([told]);
  expect([told, ...(await findIllegalStates(sql))]).toEqual([told]);
}

describe.each(Object.entries(BEGINNINGS))('a task that %s', (_, begin) => {
  it.each(MOVES)(
    'keeps to its state machine when "%s" comes right before any other',
    async (first) => {
      for (const second of MOVES) {
        await together(await begin(), first, second);
        await expectLegalHistory(`${first}, then ${second}`);
      }
    },
  );
});

describe('cancel and start at the same time', () => {
  it('is won by the start when it comes first: the worker is asked to stop', async () => {
    const subject = await aQueued();
    await together(subject, 'claim', 'cancel');
    expect(await theTask(sql, subject.id)).toMatchObject({
      status: 'running',
      cancelRequestedAt: expect.any(Date),
    });
  });

  it('is won by the cancel when it comes first: nothing starts', async () => {
    const subject = await aQueued();
    const [, claimed] = await together(subject, 'cancel', 'claim');
    expect(claimed).toBeUndefined();
    expect(await statusOf(subject)).toBe('cancelled');
  });
});

describe('cancel and finish at the same time', () => {
  it('keeps the result of a command that ended first', async () => {
    const subject = await aRunning();
    const [, cancelled] = await together(subject, 'succeed', 'cancel');
    expect(cancelled).toBeUndefined();
    expect(await theTask(sql, subject.id)).toMatchObject({
      status: 'succeeded',
      cancelRequestedAt: null,
    });
  });

  it('keeps the result of a command that ended before it could be killed', async () => {
    const subject = await aRunning();
    await together(subject, 'cancel', 'succeed');
    expect(await statusOf(subject)).toBe('succeeded');
  });

  it('does not run a failed command again that was cancelled first', async () => {
    const subject = await aRunning();
    await together(subject, 'cancel', 'fail');
    expect(await statusOf(subject)).toBe('failed');
    expect(await owedTasks(sql)).toEqual([]);
  });

  it('cancels the retry of a command that failed first', async () => {
    const subject = await aRunning();
    await together(subject, 'fail', 'cancel');
    expect(await statusOf(subject)).toBe('cancelled');
  });
});

describe('cancel and retry at the same time', () => {
  it('cancels the new attempt when the retry comes first', async () => {
    const subject = await aFailed();
    await moves.retry(sql, subject);
    expect(await moves.cancel(sql, subject)).toBe('cancelled');
    expect(await statusOf(subject)).toBe('cancelled');
  });

  it('has one answer for the user, whichever comes first', async () => {
    for (let n = 0; n < 30; n++) {
      const { id } = await aFailed();
      const [cancelled] = await Promise.all([
        cancelTask(ACTOR, id).catch((error: unknown) => error),
        retryTask(ACTOR, id),
      ]);
      // The cancel finds the task ended, or queued by the retry; it never says "ended: queued".
      if (cancelled instanceof Error) expect(cancelled.message).toMatch(/it has failed/);
      else expect(cancelled).toMatchObject({ status: 'cancelled' });
    }
  });

  it('retries when the cancel comes first and finds the task ended', async () => {
    const subject = await aFailed();
    const [cancelled] = await together(subject, 'cancel', 'retry');
    expect(cancelled).toBeUndefined();
    expect(await statusOf(subject)).toBe('queued');
  });

  it('starts the retried task although a message of before the cancel is still owed', async () => {
    const subject = await aRunning({ maxAttempts: 2, retryDelaySeconds: 3600 });
    await together(subject, 'fail', 'cancel');
    await moves.retry(sql, subject);
    await sql`delete from errand.outbox where due_at <= now()`; // published, and lost
    await sql`update errand.tasks set nudge_at = now() - interval '1 second'`;
    expect(await moves.nudge(sql)).toHaveLength(1);
  });
});

describe('rescue and a worker that is alive after all', () => {
  it('leaves the attempt to whichever comes first, here the worker', async () => {
    const subject = await anExpired();
    await together(subject, 'succeed', 'rescue');
    await moves.rescue(sql);
    expect(await statusOf(subject)).toBe('succeeded');
  });

  it('leaves the attempt to whichever comes first, here the rescue', async () => {
    const subject = await anExpired();
    await moves.rescue(sql);
    expect(await moves.succeed(sql, subject)).toBeUndefined();
    expect(await moves.renew(sql, subject)).toEqual([]);
    expect(await statusOf(subject)).toBe('queued');
  });

  it('keeps a worker from renewing the lease of the attempt that replaced its own', async () => {
    const { id } = await anExpired();
    await moves.rescue(sql);
    await claim(sql, id, 5);
    const leaseOf = () => sql`select attempt, lease_expires_at from errand.tasks where id = ${id}`;
    const lease = await leaseOf();
    expect(lease).toMatchObject([{ attempt: 2 }]);
    await moves.renew(sql, { id, attempt: 1 });
    expect(await leaseOf()).toEqual(lease);
  });

  it('cancels the task when that was asked for before the worker vanished', async () => {
    const subject = await anExpired();
    await together(subject, 'rescue', 'cancel');
    await moves.rescue(sql);
    expect(await statusOf(subject)).toBe('cancelled');
  });
});

describe('giving a task back', () => {
  it('waits for a renewal of its own worker instead of passing the row over', async () => {
    const subject = await aRunning();
    const [, abandoned] = await together(subject, 'renew', 'give back');
    expect(abandoned).toMatchObject({ fates: [{ status: 'queued' }] });
    expect(await statusOf(subject)).toBe('queued');
  });
});

describe('an early delivery', () => {
  it('is answered with a new message when the task becomes due right after it', async () => {
    const subject = await aQueued({ delaySeconds: 60 });
    expect(await moves.claim(sql, subject)).toBeUndefined();
    await sql`update errand.tasks set run_at = now()`;
    expect(await moves['owe a message'](sql, subject)).toMatchObject({
      owed: { taskId: subject.id },
    });
  });
});

describe('several at once', () => {
  it('two rescuers share the tasks, and owe one message for each', async () => {
    const ids: TaskId[] = [];
    for (let n = 0; n < 60; n++) ids.push((await anExpired()).id);
    const abandoned = await Promise.all(Array.from({ length: 6 }, () => moves.rescue(sql)));
    const owed = abandoned.flatMap((one) => one.owed.map(({ taskId }) => taskId));
    expect(owed.sort()).toEqual(ids.sort());
    expect((await owedTasks(sql)).sort()).toEqual(ids.sort());
  });

  it('the retention and a retry do not both have a task', async () => {
    const subject = await aFailed();
    const [retried] = await runBehindLock(sql, subject.id, [
      () => moves.retry(sql, subject),
      () => deleteNow(sql),
    ]);
    await deleteNow(sql);
    expect(retried).toMatchObject({ taskId: subject.id });
    expect(await statusOf(subject)).toBe('queued');
  });

  it('everything at once, again and again, keeps to the state machine without a deadlock', async () => {
    const subjects: Subject[] = [];
    for (let n = 0; n < 4; n++) subjects.push(await aQueued());
    const stopAt = performance.now() + 2000;
    let random = 1;
    const next = (below: number) => {
      random = (random * 48271) % 2147483647; // Park and Miller's "minimal standard"
      return random % below;
    };
    const hammer = async () => {
      while (performance.now() < stopAt) {
        const { id } = subjects[next(subjects.length)] ?? { id: '' as TaskId };
        const attempt = (await theTask(sql, id)).attempt - next(2);
        if (next(4) === 0) await expireLease(sql, id).catch(ignoreNotRunning);
        await moves[MOVES[next(MOVES.length)] ?? 'claim'](sql, { id, attempt });
      }
    };
    await Promise.all(Array.from({ length: 10 }, hammer));
    await expectLegalHistory('everything');
  });
});

/** Only a running task has a lease that can be moved. */
function ignoreNotRunning(error: unknown): void {
  if (!String(error).includes('tasks_lease_while_running')) throw error;
}
