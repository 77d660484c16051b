import { beforeEach, describe, expect, it } from 'vitest';
import { makeCancelTask } from '../../lib/tasks/cancel-task.ts';
import { TaskEnded, TaskNotEnded, TaskNotFound } from '../../lib/tasks/errors.ts';
import { makeRetryTask } from '../../lib/tasks/retry-task.ts';
import type { TaskId, Tenant } from '../../lib/tasks/task.ts';
import { findTask, listTasks } from '../../lib/tasks/task-store.ts';
import { aTaskId, storeTask, TENANT } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();
const stranger = 'somebody-else' as Tenant;

beforeEach(async () => {
  await system.database.sql`truncate errand.tasks cascade`;
});

async function storeMany(count: number): Promise<TaskId[]> {
  const tasks: TaskId[] = [];
  for (let n = 0; n < count; n++) tasks.push(await storeTask(system.database.sql));
  return tasks;
}

async function idsOf(tenant: Tenant, page: { limit: number; after?: TaskId }): Promise<TaskId[]> {
  return (await listTasks(system.database.sql, tenant, page)).map(({ id }) => id);
}

describe('listTasks', () => {
  it('lists the newest task first', async () => {
    const tasks = await storeMany(3);
    expect(await idsOf(TENANT, { limit: 10 })).toEqual(tasks.reverse());
  });

  it('goes on behind the last task of the page before', async () => {
    const [oldest = aTaskId(), older = aTaskId(), newer = aTaskId()] = await storeMany(3);
    expect(await idsOf(TENANT, { limit: 1, after: newer })).toEqual([older]);
    expect(await idsOf(TENANT, { limit: 5, after: older })).toEqual([oldest]);
    expect(await idsOf(TENANT, { limit: 5, after: oldest })).toEqual([]);
  });

  it('skips and repeats nothing when tasks are created between two pages', async () => {
    const tasks = await storeMany(4);
    const first = await idsOf(TENANT, { limit: 2 });
    await storeMany(2);
    const second = await idsOf(TENANT, { limit: 2, ...(first[1] && { after: first[1] }) });
    expect([...first, ...second]).toEqual(tasks.reverse());
  });

  it('goes on behind a task that has been deleted since', async () => {
    const [oldest = aTaskId(), newest = aTaskId()] = await storeMany(2);
    await system.database.sql`delete from errand.tasks where id = ${newest}`;
    expect(await idsOf(TENANT, { limit: 5, after: newest })).toEqual([oldest]);
  });
});

describe('a tenant', () => {
  it('does not see the tasks of another', async () => {
    const task = await storeTask(system.database.sql, {}, stranger);
    expect(await findTask(system.database.sql, TENANT, task)).toBeUndefined();
    expect(await idsOf(TENANT, { limit: 10 })).toEqual([]);
    expect(await idsOf(stranger, { limit: 10 })).toEqual([task]);
  });

  it('cannot cancel or retry the tasks of another', async () => {
    const task = await storeTask(system.database.sql, {}, stranger);
    await expect(makeCancelTask(system.deps)(TENANT, task)).rejects.toThrow(TaskNotFound);
    await makeCancelTask(system.deps)(stranger, task);
    await expect(makeRetryTask(system.deps)(TENANT, task)).rejects.toThrow(TaskNotFound);
    expect(await findTask(system.database.sql, stranger, task)).toMatchObject({
      status: 'cancelled',
    });
  });
});

describe('cancelTask', () => {
  it('ends a queued task at once, and forgets its message', async () => {
    const task = await storeTask(system.database.sql);
    await system.database.sql`
      insert into errand.outbox (task_id, due_at, relay_at) values (${task}, now(), now())`;
    const cancelled = await makeCancelTask(system.deps)(TENANT, task);
    expect(cancelled).toMatchObject({ status: 'cancelled', failure: null, startedAt: null });
    expect(cancelled.finishedAt).not.toBeNull();
    expect(await system.database.sql`select from errand.outbox`).toHaveLength(0);
  });

  it('asks the worker of a running task, and may ask again', async () => {
    const task = await storeTask(system.database.sql);
    await claimed(system.database.sql, task);
    const first = await makeCancelTask(system.deps)(TENANT, task);
    expect(first).toMatchObject({ status: 'running', finishedAt: null });
    const second = await makeCancelTask(system.deps)(TENANT, task);
    expect(second.cancelRequestedAt).toEqual(first.cancelRequestedAt);
  });

  it('refuses a task that has ended, and says how it did', async () => {
    const task = await storeTask(system.database.sql);
    await makeCancelTask(system.deps)(TENANT, task);
    const again = makeCancelTask(system.deps)(TENANT, task);
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
      const { status } = await makeCancelTask(system.deps)(TENANT, task);
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
    await makeCancelTask(system.deps)(TENANT, task);
    const retried = await makeRetryTask(system.deps)(TENANT, task);
    expect(retried).toMatchObject({ status: 'queued', finishedAt: null, cancelRequestedAt: null });
    expect(await system.broker.drain()).toEqual([{ taskId: task }]);
    expect(await claimed(system.database.sql, task)).toMatchObject({ attempt: 1 });
  });

  it('queues it once when two ask at once', async () => {
    const task = await storeTask(system.database.sql);
    await makeCancelTask(system.deps)(TENANT, task);
    const retry = () =>
      makeRetryTask(system.deps)(TENANT, task).then(
        () => 'queued',
        (error) => error.code,
      );
    const answers = await Promise.all([retry(), retry()]);
    expect(answers.sort()).toEqual(['queued', 'task_not_ended']);
    expect(await system.broker.drain()).toHaveLength(1);
  });

  it('refuses a task that has not ended', async () => {
    const task = await storeTask(system.database.sql);
    await expect(makeRetryTask(system.deps)(TENANT, task)).rejects.toThrow(TaskNotEnded);
  });

  it('refuses a task that is not there', async () => {
    await expect(makeRetryTask(system.deps)(TENANT, aTaskId())).rejects.toThrow(TaskNotFound);
  });
});
