import { beforeEach, describe, expect, it } from 'vitest';
import { storeTask, type TaskFields } from '../support/a-task.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

const UNKNOWN =
  'is not a known parameter: known are status, label, createdAfter, createdBefore, q, limit, cursor';

const { database } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
});

const list = (query = '') => request('list-tasks', anHttpEvent({ path: '/api/tasks', query }));

/** All tasks of all pages, and how many pages there were. */
async function walk(limit: number, filter = ''): Promise<{ ids: string[]; pages: number }> {
  const ids: string[] = [];
  let cursor = '';
  for (let pages = 1; ; pages++) {
    const { body } = await list(`limit=${limit}&${filter}${cursor && `&cursor=${cursor}`}`);
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

  describe('with a filter', () => {
    /** A task with this command, of this status; cancelled ones are the easiest to make. */
    async function aTaskOf(fields: TaskFields, status: 'queued' | 'cancelled' = 'queued') {
      const id = await storeTask(database.sql, fields);
      if (status === 'cancelled') {
        await database.sql`
          update errand.tasks set status = 'cancelled', finished_at = now() where id = ${id}`;
      }
      return id;
    }
    const idsOf = async (query: string) =>
      (await list(query)).body.items.map(({ id }: { id: string }) => id);

    it('shows the tasks of one status, or of several', async () => {
      const queued = await aTaskOf({});
      const cancelled = await aTaskOf({}, 'cancelled');
      expect(await idsOf('status=queued')).toEqual([queued]);
      expect(await idsOf('status=cancelled&status=failed')).toEqual([cancelled]);
      expect(await idsOf('status=cancelled&status=queued&status=queued')).toEqual([
        cancelled,
        queued,
      ]);
      expect(await idsOf('status=running')).toEqual([]);
    });

    it('shows the tasks that have all of the labels', async () => {
      const both = await aTaskOf({ labels: { team: 'a', env: 'prod' } });
      const one = await aTaskOf({ labels: { team: 'a', env: 'test' } });
      await aTaskOf({ labels: { team: 'b' } });
      expect(await idsOf('label=team:a')).toEqual([one, both]);
      expect(await idsOf('label=team:a&label=env:prod')).toEqual([both]);
      expect(await idsOf('label=team:')).toEqual([]);
    });

    it('takes a label whose value has colons, or is empty, or is not ASCII', async () => {
      const colons = await aTaskOf({ labels: { url: 'http://a:1/' } });
      const empty = await aTaskOf({ labels: { flag: '' } });
      const umlaut = await aTaskOf({ labels: { größe: 'über' } });
      expect(await idsOf('label=url:http://a:1/')).toEqual([colons]);
      expect(await idsOf('label=flag:')).toEqual([empty]);
      expect(await idsOf(`label=${encodeURIComponent('größe:über')}`)).toEqual([umlaut]);
    });

    it('shows the tasks created between two times, without those of the times themselves', async () => {
      const ids: string[] = [];
      for (const second of [10, 20, 30]) {
        const id = await aTaskOf({});
        await database.sql`
          update errand.tasks set created_at = ${`2026-01-01T00:00:${second}.000Z`} where id = ${id}`;
        ids.push(id);
      }
      const [first, second, third] = ids;
      expect(await idsOf('createdAfter=2026-01-01T00:00:10Z')).toEqual([third, second]);
      expect(await idsOf('createdBefore=2026-01-01T00:00:30Z')).toEqual([second, first]);
      expect(
        await idsOf('createdAfter=2026-01-01T01:00:10%2B01:00&createdBefore=2026-01-01T00:00:30Z'),
      ).toEqual([second]);
    });

    it('shows the tasks whose command or arguments hold a text', async () => {
      const shell = await aTaskOf({ command: 'make Deploy 100%' });
      const argv = await aTaskOf({ argv: ['make', 'deploy_x'] });
      await aTaskOf({ command: 'make test' });
      expect(await idsOf('q=deploy')).toEqual([argv, shell]);
      expect(await idsOf('q=make+deploy')).toEqual([argv, shell]);
      // What is special in a pattern is a character like any other.
      expect(await idsOf('q=100%25')).toEqual([shell]);
      expect(await idsOf('q=deploy_')).toEqual([argv]);
      expect(await idsOf('q=y.x')).toEqual([]);
      expect(await idsOf(`q=${encodeURIComponent("'; drop table x; --")}`)).toEqual([]);
    });

    it('holds all parts of it together, over all pages', async () => {
      const wanted: string[] = [];
      for (let n = 0; n < 6; n++) {
        wanted.push(await aTaskOf({ command: `echo ${n}`, labels: { team: 'a' } }, 'cancelled'));
        await aTaskOf({ command: `echo ${n}`, labels: { team: 'a' } });
        await aTaskOf({ command: `ls ${n}`, labels: { team: 'a' } }, 'cancelled');
        await aTaskOf({ command: `echo ${n}` }, 'cancelled');
      }
      const filter = 'status=cancelled&label=team:a&q=echo';
      expect((await walk(2, filter)).ids).toEqual(wanted.reverse());
    });
  });

  it.each([
    ['status=done', 'status.0', 'must be one of queued, running, succeeded, failed, cancelled'],
    ['status=', 'status.0', 'must be one of queued, running, succeeded, failed, cancelled'],
    ['label=team', 'label.0', 'must be a key and a value as in team:search'],
    ['label=:x', 'label.0', 'must be a key and a value as in team:search'],
    ['label=a:1&label=a:2', 'label', 'must name each key once'],
    ['createdAfter=yesterday', 'createdAfter', 'must be a time as in 2030-01-31T12:00:00Z'],
    ['createdBefore=2026-01-01', 'createdBefore', 'must be a time as in 2030-01-31T12:00:00Z'],
    ['q=', 'q', 'must not be empty'],
    ['q=%00', 'q', 'must be text without NUL'],
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
    ['page=2', 'page', UNKNOWN],
    ['__proto__=x', '__proto__', UNKNOWN],
    ['__proto__=x&__proto__=y', '__proto__', UNKNOWN],
  ])('refuses ?%s', async (query, path, message) => {
    const answer = await list(query);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([{ path, message }]);
  });

  it.each(['0000-01-01T00:00:00Z', '9999-12-31T23:59:59-23:59'])(
    'takes any time that can be written, also one that Postgres has not: %s',
    async (time) => {
      const query = new URLSearchParams({ createdAfter: time, createdBefore: time });
      expect(await list(`${query}`)).toMatchObject({ status: 200, body: { items: [] } });
    },
  );

  it('measures a text in characters, as its description does', async () => {
    const query = new URLSearchParams({ q: '🚀'.repeat(1000) });
    expect(await list(`${query}`)).toMatchObject({ status: 200 });
    expectProblem(await list(`${query}x`), 400, 'invalid_request');
  });
});
