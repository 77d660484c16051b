import { beforeEach, describe, expect, it } from 'vitest';
import { storeTask } from '../support/a-task.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

const { database } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
});

const list = (query = '') => request('list-tasks', anHttpEvent({ path: '/api/tasks', query }));

/** All tasks of all pages, and how many pages there were. */
async function walk(limit: number): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor = '';
  for (let pages = 1; ; pages++) {
    const { body } = await list(`limit=${limit}${cursor && `&cursor=${cursor}`}`);
    ids.push(...body.items.map(({ id }: { id: string }) => id));
    if (body.nextCursor === null) return { ids, pages };
    cursor = body.nextCursor;
  }
}

async function storeMany(count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push(await storeTask(database.sql));
  return ids;
}

describe('GET /api/tasks', () => {
  it('answers an empty page when there are no tasks', async () => {
    expect(await list()).toMatchObject({ status: 200, body: { items: [], nextCursor: null } });
  });

  it('lists the newest first, without output and attempts', async () => {
    const older = await storeTask(database.sql, { command: 'echo older' });
    const newer = await storeTask(database.sql, { argv: ['echo', 'newer'] });
    const { body } = await list();
    expect(body.items).toMatchObject([
      { id: newer, argv: ['echo', 'newer'], status: 'queued' },
      { id: older, command: 'echo older', status: 'queued' },
    ]);
    expect(body.items[0]).not.toHaveProperty('stdout');
    expect(body.items[0]).not.toHaveProperty('attempts');
  });

  it.each([
    [1, 7],
    [3, 3],
    [7, 1],
    [200, 1],
  ])('walks all tasks once, %i at a time', async (limit, pages) => {
    const tasks = await storeMany(7);
    expect(await walk(limit)).toEqual({ ids: tasks.reverse(), pages });
  });

  it('has 50 tasks on a page unless told otherwise', async () => {
    await storeMany(51);
    expect((await list()).body.items).toHaveLength(50);
  });

  it('stays below the 6 MB that Lambda answers, and loses no task by it', async () => {
    const command = `#${'\u0001'.repeat(65_535)}`;
    for (let n = 0; n < 30; n++) await storeTask(database.sql, { command });
    const page = await list('limit=200');
    expect(JSON.stringify(page.body).length).toBeLessThan(6_000_000);
    expect((await walk(200)).ids).toHaveLength(30);
  });

  it.each([
    ['limit=0', 'limit', 'must be a whole number from 1 to 200'],
    ['limit=201', 'limit', 'must be a whole number from 1 to 200'],
    ['limit=-1', 'limit', 'must be a whole number from 1 to 200'],
    ['limit=1.5', 'limit', 'must be a whole number from 1 to 200'],
    ['limit=ten', 'limit', 'must be a whole number from 1 to 200'],
    ['limit=', 'limit', 'must be a whole number from 1 to 200'],
    ['limit=1&limit=2', 'limit', 'must be given once'],
    ['cursor=', 'cursor', 'must be the "nextCursor" of an earlier answer'],
    ['cursor=x', 'cursor', 'must be the "nextCursor" of an earlier answer'],
    ['cursor=MQ', 'cursor', 'must be the "nextCursor" of an earlier answer'],
    ['cursor=a&cursor=b', 'cursor', 'must be given once'],
    ['page=2', 'page', 'is not a known field'],
    ['__proto__=x', '__proto__', 'is not a known field'],
    ['__proto__=x&__proto__=y', '__proto__', 'is not a known field'],
  ])('refuses ?%s', async (query, path, message) => {
    const answer = await list(query);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([{ path, message }]);
  });
});
