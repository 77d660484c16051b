import { beforeEach, describe, expect, it } from 'vitest';
import { reissueKey } from '../../lib/access/issue-key.ts';
import { revokeKey } from '../../lib/access/key-store.ts';
import { actorOf, aTaskId, storeTask } from '../support/a-task.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { type Answer, request, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import { storeKey, type TestKey } from '../support/keys.ts';

const { database } = useFunctions({ auth: 'keys' });

/** Entries stay, so each test is a tenant of its own. */
let tenant: string;
let key: TestKey;
let tests = 0;

beforeEach(async () => {
  tests += 1;
  tenant = `tenant-${tests}`;
  key = await storeKey(database.sql, { tenant, name: 'the caller' });
});

const audit = (query = '') =>
  request('list-audit', anHttpEvent({ path: '/api/audit', query, headers: key.headers }));
const items = async (query = ''): Promise<Record<string, unknown>[]> =>
  (await audit(query)).body.items;

const act = (name: 'cancel-task' | 'retry-task', taskId: string): Promise<Answer> =>
  request(name, anHttpEvent({ method: 'POST', pathParameters: { taskId }, headers: key.headers }));

/** Says in whose name, from where and when something was done. */
const byCaller = (entry: { action: string; subject: string }) => ({
  id: expect.any(Number),
  at: expect.stringMatching(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  ...entry,
  keyId: key.id,
  keyName: 'the caller',
  sourceIp: '192.0.2.1',
  requestId: expect.stringMatching(/^[\w.:-]+$/),
});

describe('GET /api/audit', () => {
  it('tells who created, cancelled and retried a task, from where, and when', async () => {
    const create = aPost({ command: 'true' }, { ...key.headers, 'x-request-id': 'r-1' });
    const { body: task } = await request('create-task', create);
    await act('cancel-task', task.id);
    await act('retry-task', task.id);
    const subject = task.id;
    expect(await items(`subject=${task.id}`)).toEqual([
      byCaller({ action: 'task.retry', subject }),
      byCaller({ action: 'task.cancel', subject }),
      { ...byCaller({ action: 'task.create', subject }), requestId: 'r-1' },
    ]);
  });

  it('has an entry for each task of a batch', async () => {
    const batch = aPost({ tasks: [{ command: 'a' }, { command: 'b' }] }, key.headers);
    const { body } = await request('create-tasks', batch);
    const subjects = (await items('action=task.create')).map(({ subject }) => subject);
    expect(subjects.sort()).toEqual(body.items.map(({ id }: { id: string }) => id).sort());
  });

  it('tells who sent dead letters back', async () => {
    const redrive = (body: string) =>
      request(
        'redrive-dead-letters',
        anHttpEvent({
          method: 'POST',
          headers: { ...key.headers, 'content-type': 'application/json' },
          body,
        }),
      );
    await redrive('{}');
    await redrive('{"id":"a-letter"}');
    expect(await items('action=dead_letters.redrive')).toEqual([
      byCaller({ action: 'dead_letters.redrive', subject: 'a-letter' }),
      byCaller({ action: 'dead_letters.redrive', subject: 'all' }),
    ]);
  });

  it('tells who made, rotated and revoked a key', async () => {
    const operator = { ...actorOf(tenant as never), requestId: 'cli:ann', sourceIp: null };
    const other = await storeKey(database.sql, { tenant });
    await reissueKey(database.sql, operator, other.id, 0);
    await revokeKey(database.sql, operator, other.id);
    const entry = { subject: other.id, keyId: null, keyName: null };
    expect(await items(`subject=${other.id}`)).toMatchObject([
      { action: 'key.revoke', ...entry, sourceIp: null, requestId: 'cli:ann' },
      { action: 'key.rotate', ...entry, sourceIp: null, requestId: 'cli:ann' },
      { action: 'key.create', ...entry },
    ]);
  });

  it('has no entry of what changed nothing', async () => {
    const task = await storeTask(database.sql, {}, tenant as never);
    await act('cancel-task', task);
    expectProblem(await act('cancel-task', task), 409, 'task_ended');
    expectProblem(await act('cancel-task', aTaskId()), 404, 'task_not_found');
    const replay = () =>
      request(
        'create-task',
        aPost({ command: 'true' }, { ...key.headers, 'idempotency-key': 'once' }),
      );
    await replay();
    await replay();
    const actions = (await items()).map(({ action }) => action);
    expect(actions).toEqual(['task.create', 'task.cancel', 'task.create', 'key.create']);
  });

  it('does not take the word of X-Forwarded-For for where a request comes from', async () => {
    const headers = { ...key.headers, 'x-forwarded-for': '203.0.113.7', forwarded: 'for=6.6.6.6' };
    await request('create-task', aPost({ command: 'true' }, headers));
    expect(await items('action=task.create')).toMatchObject([{ sourceIp: '192.0.2.1' }]);
  });

  it('pages through the entries, newest first, and skips none that is added meanwhile', async () => {
    for (let n = 0; n < 5; n++) await storeTask(database.sql, {}, tenant as never);
    const seen: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body }: Answer = await audit(`limit=2${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items.map(({ id }: { id: number }) => id));
      cursor = body.nextCursor;
      await storeTask(database.sql, {}, tenant as never);
    }
    expect(seen).toHaveLength(6);
    expect(seen).toEqual([...new Set(seen)].sort((one, other) => Number(other) - Number(one)));
  });

  it('finds a task by its id in upper case', async () => {
    const task = await storeTask(database.sql, {}, tenant as never);
    expect(await items(`subject=${task.toUpperCase()}`)).toHaveLength(1);
  });

  it.each([
    ['action=task.read', 'action'],
    ['limit=0', 'limit'],
    ['limit=201', 'limit'],
    ['cursor=x', 'cursor'],
    ['cursor=', 'cursor'],
    ['subject=', 'subject'],
    ['subject=%00', 'subject'],
    ['subject=a&subject=b', 'subject'],
    ['tenant=other', 'tenant'],
  ])('refuses %s', async (query, path) => {
    const answer = await audit(query);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toMatchObject([{ path }]);
  });
});
