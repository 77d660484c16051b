import { beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import { makeListTasks, type PageRequest } from '../../lib/tasks/list-tasks.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import type { Place, TaskFilter } from '../../lib/tasks/task-walk.ts';
import { aTaskId, storeTask, TENANT } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
const everything: TaskFilter = {
  statuses: [],
  labels: {},
  createdAfter: undefined,
  createdBefore: undefined,
  text: undefined,
};

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
});

async function storeMany(count: number): Promise<TaskId[]> {
  const tasks: TaskId[] = [];
  for (let n = 0; n < count; n++) tasks.push(await storeTask(database.sql));
  return tasks;
}

const list = (page: PageRequest, filter: Partial<TaskFilter> = {}, tenant: Tenant = TENANT) =>
  makeListTasks({ sql: database.sql })(tenant, { ...everything, ...filter }, page);

const idsOf = async (page: PageRequest) => (await list(page)).tasks.map(({ id }) => id);

async function placeOf(id: TaskId): Promise<Place> {
  const [place] = await database.sql<Place[]>`
    select created_at as "createdAt", id from errand.tasks where id = ${id}`;
  if (!place) throw new Error(`there is no task ${id}`);
  return place;
}

describe('listTasks', () => {
  it('lists the newest task first', async () => {
    const tasks = await storeMany(3);
    expect(await idsOf({ limit: 10 })).toEqual(tasks.reverse());
  });

  it('goes on behind the last task of the page before', async () => {
    const [oldest = aTaskId(), older = aTaskId(), newer = aTaskId()] = await storeMany(3);
    expect(await idsOf({ limit: 1, after: await placeOf(newer) })).toEqual([older]);
    expect(await idsOf({ limit: 5, after: await placeOf(older) })).toEqual([oldest]);
    expect(await idsOf({ limit: 5, after: await placeOf(oldest) })).toEqual([]);
  });

  it('skips and repeats nothing when tasks are created between two pages', async () => {
    const tasks = await storeMany(4);
    const first = await list({ limit: 2 });
    await storeMany(2);
    const second = await list({ limit: 2, after: first.next });
    const ids = [...first.tasks, ...second.tasks].map(({ id }) => id);
    expect(ids).toEqual(tasks.reverse());
    expect(second.next).toBeUndefined();
  });

  it('goes on behind a task that has been deleted since', async () => {
    const [oldest = aTaskId(), newest = aTaskId()] = await storeMany(2);
    const after = await placeOf(newest);
    await database.sql`delete from errand.tasks where id = ${newest}`;
    expect(await idsOf({ limit: 5, after })).toEqual([oldest]);
  });

  it('has less in a page when the tasks are large, but something, and all in the end', async () => {
    const tasks: TaskId[] = [];
    const command = `: ${'x'.repeat(65_000)}`;
    for (let n = 0; n < 40; n++) tasks.push(await storeTask(database.sql, { command }));
    for (const filter of [{}, { text: ': x' }]) {
      const ids: TaskId[] = [];
      const sizes: number[] = [];
      for (let after: Place | undefined; sizes.length === 0 || after; ) {
        const page = await list({ limit: 30, after }, filter);
        ids.push(...page.tasks.map(({ id }) => id));
        sizes.push(page.tasks.length);
        after = page.next;
      }
      expect(ids).toEqual([...tasks].reverse());
      expect(sizes).toEqual([17, 17, 6]);
    }
  });

  it('skips and repeats nothing among tasks of one instant', async () => {
    const tasks = await storeMany(5);
    await database.sql`update errand.tasks set created_at = '2026-01-01T00:00:00Z'`;
    const ids: TaskId[] = [];
    for (let after: Place | undefined, pages = 0; pages < 5; pages++) {
      const page = await list({ limit: 1, after });
      ids.push(...page.tasks.map(({ id }) => id));
      after = page.next;
    }
    expect(ids).toEqual(tasks.reverse());
  });
});
