import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueueUnavailable } from '../../lib/queue/task-queue.ts';
import { makeRescueTasks } from '../../lib/tasks/rescue-tasks.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import {
  ACTOR,
  aTask,
  aTaskId,
  expireLease,
  insertTask,
  storeTask,
  type TaskFields,
} from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { owedTasks, theTask } from '../support/rows.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();
const rescue = () => makeRescueTasks(system.deps)();
const find = (task: TaskId) => theTask(system.database.sql, task);

beforeEach(async () => {
  await system.database.sql`truncate errand.tasks cascade`;
});
afterEach(async () => {
  await system.wire.mend();
  await system.broker.purge();
});

/** A task that was started by a worker that is no more. */
async function storeLost(fields?: TaskFields): Promise<TaskId> {
  const task = await storeTask(system.database.sql, fields);
  await loseWorker(task);
  return task;
}

async function loseWorker(task: TaskId): Promise<void> {
  await claimed(system.database.sql, task);
  await expireLease(system.database.sql, task);
}

/** A queued task whose message is gone, and that has waited long enough for us to wonder. */
async function storeForgotten(): Promise<TaskId> {
  const task = await storeTask(system.database.sql);
  await system.database.sql`
    update errand.tasks set run_at = now() - interval '2 minutes',
           nudge_at = now() - interval '1 minute' where id = ${task}`;
  return task;
}

describe('rescueTasks, when a worker vanished,', () => {
  it('makes its task runnable again, with a message', async () => {
    const task = await storeLost();
    expect(await rescue()).toEqual({ lost: 1, forgotten: 0 });
    const { status, attempts } = await find(task);
    expect(status).toBe('queued');
    expect(attempts).toMatchObject([
      {
        number: 1,
        status: 'failed',
        failure: {
          code: 'worker_lost',
          message: 'The worker stopped before the command ended.',
        },
      },
    ]);
    expect(await system.broker.drain()).toEqual([{ taskId: task }]);
  });

  it('leaves a task alone whose lease lasts', async () => {
    const task = await storeTask(system.database.sql);
    await claimed(system.database.sql, task);
    expect(await rescue()).toEqual({ lost: 0, forgotten: 0 });
    expect((await find(task)).status).toBe('running');
  });

  it('gives up after the fourth worker, and tells so', async () => {
    const task = await storeTask(system.database.sql);
    for (let worker = 1; worker <= 3; worker++) {
      await loseWorker(task);
      await rescue();
      expect((await find(task)).status).toBe('queued');
    }
    await loseWorker(task);
    await rescue();
    const { status, failure, attempts, finishedAt } = await find(task);
    expect(status).toBe('failed');
    expect(failure).toEqual({
      code: 'attempts_exhausted',
      message: 'Its worker stopped 4 times.',
    });
    expect(attempts.map((attempt) => attempt.failure?.code)).toEqual(Array(4).fill('worker_lost'));
    expect(finishedAt).not.toBeNull();
  });

  it('does not start a command twice that must never be', async () => {
    const task = await storeLost({ onWorkerLost: 'fail' });
    await rescue();
    const { status, failure } = await find(task);
    expect(status).toBe('failed');
    expect(failure?.code).toBe('worker_lost');
    expect(await system.broker.drain()).toEqual([]);
  });

  it('ends a task as cancelled that somebody asked to cancel', async () => {
    const task = await storeLost();
    await system.database.sql`
      update errand.tasks set cancel_requested_at = now() where id = ${task}`;
    await rescue();
    expect(await find(task)).toMatchObject({ status: 'cancelled', failure: null });
  });

  it('rescues each task once when two rescuers run at once', async () => {
    for (let task = 0; task < 150; task++) await storeLost();
    const [one, other] = await Promise.all([rescue(), rescue()]);
    expect(one.lost + other.lost).toBe(150);
    expect(await system.broker.drain()).toHaveLength(150);
  });

  it('rescues the task while the broker is away, and leaves the message to the relay', async () => {
    const task = await storeLost();
    await system.wire.cut();
    expect(await rescue()).toEqual({ lost: 1, forgotten: 0 });
    expect((await find(task)).status).toBe('queued');
    expect(await owedTasks(system.database.sql)).toEqual([task]);
  });
});

describe('rescueTasks, when a message vanished,', () => {
  it('sends it again', async () => {
    const task = await storeForgotten();
    expect(await rescue()).toEqual({ lost: 0, forgotten: 1 });
    expect(await system.broker.drain()).toEqual([{ taskId: task }]);
  });

  it('sends it once when two rescuers run at once', async () => {
    await storeForgotten();
    await Promise.all([rescue(), rescue()]);
    expect(await system.broker.drain()).toHaveLength(1);
  });

  it('sends few duplicates while the queue holds as many messages as tasks wait', async () => {
    for (let task = 0; task < 30; task++) {
      await system.broker.queue.publish([{ taskId: await storeForgotten(), delaySeconds: 0 }]);
    }
    expect((await rescue()).forgotten).toBeLessThanOrEqual(10);
  });

  it('leaves a task alone for a while after its message was sent again', async () => {
    await storeForgotten();
    await rescue();
    await system.broker.purge();
    expect(await rescue()).toEqual({ lost: 0, forgotten: 0 });
  });

  it('says that it cannot tell while the broker is away', async () => {
    await storeForgotten();
    await system.wire.cut();
    await expect(rescue()).rejects.toThrow(QueueUnavailable);
  });

  it('sends nothing for a task that is not due', async () => {
    await storeTask(system.database.sql, { delaySeconds: 3600 });
    expect(await rescue()).toEqual({ lost: 0, forgotten: 0 });
  });

  it('sends it again, however many tasks are planned for next month', async () => {
    const nextMonth = new Date(Date.now() + 30 * 86_400_000);
    for (let planned = 0; planned < 3; planned++) {
      const task = aTask({ runAt: nextMonth });
      await insertTask(system.database.sql, aTaskId(), ACTOR, task);
    }
    const forgotten = await storeForgotten();
    expect(await rescue()).toEqual({ lost: 0, forgotten: 1 });
    expect(await system.broker.drain()).toEqual([{ taskId: forgotten }]);
  });

  it('sends it again, however many messages wait in the queue for their time', async () => {
    const soon = Array.from({ length: 3 }, () => ({ taskId: aTaskId(), delaySeconds: 800 }));
    await system.broker.queue.publish(soon);
    const forgotten = await storeForgotten();
    expect(await rescue()).toEqual({ lost: 0, forgotten: 1 });
    expect(await system.broker.drain()).toEqual([{ taskId: forgotten }]);
  });
});
