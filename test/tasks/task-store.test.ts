import { beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import { makeCancelTask } from '../../lib/tasks/cancel-task.ts';
import { TaskEnded, TaskNotEnded, TaskNotFound } from '../../lib/tasks/errors.ts';
import { makeRetryTask } from '../../lib/tasks/retry-task.ts';
import { selectTask } from '../../lib/tasks/task-store.ts';
import { ACTOR, actorOf, aTaskId, storeTask, TENANT } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();
const stranger = 'somebody-else' as Tenant;

beforeEach(async () => {
  await system.database.sql`truncate errand.tasks cascade`;
});

describe('a tenant', () => {
  it('does not see the tasks of another', async () => {
    const task = await storeTask(system.database.sql, {}, stranger);
    expect(await selectTask(system.database.sql, TENANT, task)).toBeUndefined();
  });

  it('cannot cancel or retry the tasks of another', async () => {
    const task = await storeTask(system.database.sql, {}, stranger);
    await expect(makeCancelTask(system.deps)(ACTOR, task)).rejects.toThrow(TaskNotFound);
    await makeCancelTask(system.deps)(actorOf(stranger), task);
    await expect(makeRetryTask(system.deps)(ACTOR, task)).rejects.toThrow(TaskNotFound);
    expect(await selectTask(system.database.sql, stranger, task)).toMatchObject({
      status: 'cancelled',
    });
  });
});

describe('cancelTask', () => {
  it('ends a queued task at once, and forgets its message', async () => {
    const task = await storeTask(system.database.sql);
    await system.database.sql`
      insert into errand.outbox (task_id, due_at, relay_at) values (${task}, now(), now())`;
    const cancelled = await makeCancelTask(system.deps)(ACTOR, task);
    expect(cancelled).toMatchObject({ status: 'cancelled', failure: null, startedAt: null });
    expect(cancelled.finishedAt).not.toBeNull();
    expect(await system.database.sql`select from errand.outbox`).toHaveLength(0);
  });

  it('asks the worker of a running task, and may ask again', async () => {
    const task = await storeTask(system.database.sql);
    await claimed(system.database.sql, task);
    const first = await makeCancelTask(system.deps)(ACTOR, task);
    expect(first).toMatchObject({ status: 'running', finishedAt: null });
    const second = await makeCancelTask(system.deps)(ACTOR, task);
    expect(second.cancelRequestedAt).toEqual(first.cancelRequestedAt);
  });

  it('refuses a task that has ended, and says how it did', async () => {
    const task = await storeTask(system.database.sql);
    await makeCancelTask(system.deps)(ACTOR, task);
    const again = makeCancelTask(system.deps)(ACTOR, task);
    await expect(again).rejects.toThrow(TaskEnded);
    await expect(again).rejects.toThrow('has ended already: it was cancelled.');
  });

  it('has one winner against a worker that claims at the same time', async () => {
    for (let round = 0; round < 20; round++) {
      const task = await storeTask(system.database.sql);
      const claim = claimed(system.database.sql, task).then(
        () => 'claimed',
        () => 'not claimed',
      );
      const { status } = await makeCancelTask(system.deps)(ACTOR, task);
      expect([await claim, status]).toBeOneOf([
        ['claimed', 'running'],
        ['not claimed', 'cancelled'],
      ]);
    }
  });
});

describe('retryTask', () => {
  it('queues an ended task again, with a message', async () => {
    const task = await storeTask(system.database.sql);
    await makeCancelTask(system.deps)(ACTOR, task);
    const retried = await makeRetryTask(system.deps)(ACTOR, task);
    expect(retried).toMatchObject({ status: 'queued', finishedAt: null, cancelRequestedAt: null });
    expect(await system.broker.drain()).toEqual([{ taskId: task }]);
    expect(await claimed(system.database.sql, task)).toMatchObject({ attempt: 1 });
  });

  it('queues it once when two ask at once', async () => {
    const task = await storeTask(system.database.sql);
    await makeCancelTask(system.deps)(ACTOR, task);
    const retry = () =>
      makeRetryTask(system.deps)(ACTOR, task).then(
        () => 'queued',
        (error) => error.code,
      );
    const answers = await Promise.all([retry(), retry()]);
    expect(answers.sort()).toEqual(['queued', 'task_not_ended']);
    expect(await system.broker.drain()).toHaveLength(1);
  });

  it('refuses a task that has not ended', async () => {
    const task = await storeTask(system.database.sql);
    await expect(makeRetryTask(system.deps)(ACTOR, task)).rejects.toThrow(TaskNotEnded);
  });

  it('refuses a task that is not there', async () => {
    await expect(makeRetryTask(system.deps)(ACTOR, aTaskId())).rejects.toThrow(TaskNotFound);
  });
});
