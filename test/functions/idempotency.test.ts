import { beforeEach, describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';

const { database, broker } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const withKey = (key: string) => ({ 'idempotency-key': key });
const create = (document: unknown, key: string) =>
  request('create-task', aPost(document, withKey(key)));

function createMany(tasks: readonly object[], key: string) {
  return request('create-tasks', {
    ...aPost({ tasks }, withKey(key)),
    rawPath: '/api/tasks/batch',
  });
}

async function countTasks(): Promise<number> {
  const [row] = await database.sql<[{ count: number }]>`select count(*) from errand.tasks`;
  return row.count;
}

describe('Idempotency-Key', () => {
  it('gives the same task for the same key and body, and says so', async () => {
    const first = await create({ command: 'echo once' }, 'order-7');
    expect(first.headers['idempotent-replayed']).toBeUndefined();
    const second = await create({ command: 'echo once' }, 'order-7');
    expect(second).toMatchObject({ status: 202, headers: { 'idempotent-replayed': 'true' } });
    expect(second.headers.location).toBe(`/api/tasks/${first.body.id}`);
    expect(second.body).toEqual(first.body);
    expect(await countTasks()).toBe(1);
    expect(await broker.drain()).toHaveLength(1);
  });

  it('shows what has become of the task since', async () => {
    const { body } = await create({ command: 'true' }, 'k');
    await database.sql`update errand.tasks set status = 'cancelled', finished_at = now()`;
    const again = await create({ command: 'true' }, 'k');
    expect(again.body).toMatchObject({ id: body.id, status: 'cancelled' });
  });

  it('takes a body for the same whatever the order of its fields, and the space between', async () => {
    const send = (body: string) => request('create-task', { ...aPost({}, withKey('k')), body });
    const first = await send('{"command": "ls", "labels": {"a": "1", "b": "2"}}');
    const second = await send('{ "labels":{"b":"2","a":"1"}, "command":"ls" }');
    expect(second.body.id).toBe(first.body.id);
  });

  it('refuses another body under the same key, and changes nothing', async () => {
    await create({ command: 'echo one' }, 'k');
    const answer = await create({ command: 'echo two' }, 'k');
    expectProblem(answer, 422, 'idempotency_key_reused');
    expect(answer.body.detail).toContain('"k"');
    expect(await countTasks()).toBe(1);
  });

  it('makes one task of twenty requests at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => create({ command: 'true' }, 'race')),
    );
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const replayed = answers.filter(({ headers }) => headers['idempotent-replayed'] === 'true');
    expect(replayed).toHaveLength(19);
    expect(await countTasks()).toBe(1);
  });

  it('has one winner among different bodies at once; the others are told', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) => create({ command: `echo ${n}` }, 'race')),
    );
    const statuses = answers.map(({ status }) => status).sort();
    expect(statuses).toEqual([202, ...Array(9).fill(422)]);
    expect(await countTasks()).toBe(1);
  });

  it('holds for a whole batch', async () => {
    const tasks = [{ command: 'echo 1' }, { command: 'echo 2' }, { command: 'echo 3' }];
    const first = await createMany(tasks, 'batch');
    const second = await createMany(tasks, 'batch');
    expect(second).toMatchObject({ status: 202, headers: { 'idempotent-replayed': 'true' } });
    const ids = (answer: typeof first) => answer.body.items.map(({ id }: { id: string }) => id);
    expect(ids(second)).toEqual(ids(first));
    expect(await countTasks()).toBe(3);
    expectProblem(await createMany(tasks.slice(0, 2), 'batch'), 422, 'idempotency_key_reused');
    expectProblem(
      await createMany([...tasks, { command: 'echo 4' }], 'batch'),
      422,
      'idempotency_key_reused',
    );
    expectProblem(await create({ command: 'echo 1' }, 'batch'), 422, 'idempotency_key_reused');
    expect(await countTasks()).toBe(3);
  });

  it('is free again once its task is deleted', async () => {
    const first = await create({ command: 'echo one' }, 'k');
    await database.sql`delete from errand.tasks`;
    const second = await create({ command: 'echo two' }, 'k');
    expect(second.status).toBe(202);
    expect(second.body.id).not.toBe(first.body.id);
  });

  it('is not used up by a request that is refused', async () => {
    expectProblem(await create({ command: '' }, 'k'), 400, 'invalid_request');
    expect(await create({ command: 'true' }, 'k')).toMatchObject({ status: 202 });
  });

  it('is stored together with the task, or not at all', async () => {
    await database.sql`
      alter table errand.outbox add constraint broken check (relay_at is null) not valid`;
    expect(await create({ command: 'true' }, 'k')).toMatchObject({ status: 500 });
    await database.sql`alter table errand.outbox drop constraint broken`;
    expect(await database.sql`select from errand.idempotency_keys`).toHaveLength(0);
    const answer = await create({ command: 'true' }, 'k');
    expect(answer.headers['idempotent-replayed']).toBeUndefined();
  });

  it.each([
    ['empty', ''],
    ['longer than 255 characters', 'x'.repeat(256)],
    ['with a space', 'a b'],
    ['not ASCII', 'schlüssel'],
    ['with a control character', 'a\u0007b'],
  ])('is refused when it is %s', async (_how, key) => {
    const answer = await create({ command: 'true' }, key);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([
      {
        path: 'Idempotency-Key',
        message: 'must be 1 to 255 characters of ASCII, without spaces',
      },
    ]);
    expect(await countTasks()).toBe(0);
  });

  it('is of no meaning to a request that changes nothing', async () => {
    const event = anHttpEvent({ path: '/api/tasks', headers: withKey('k') });
    expect(await request('list-tasks', event)).toMatchObject({ status: 200 });
  });
});
