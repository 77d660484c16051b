import { beforeEach, describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { aPost } from '../support/http-event.ts';

const functions = useFunctions();
const { database, broker } = functions;

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const post = (document: unknown) => request('create-tasks', aPost(document));
const many = (count: number) => Array.from({ length: count }, (_, n) => ({ command: `echo ${n}` }));

async function countTasks(): Promise<number> {
  const [row] = await database.sql<[{ count: number }]>`select count(*) from errand.tasks`;
  return row.count;
}

describe('POST /api/tasks/batch', () => {
  it('creates the tasks in the order in which they were given', async () => {
    const { status, body } = await post({
      tasks: [
        { command: 'echo first', labels: { team: 'a' } },
        { argv: ['echo', 'second'], maxAttempts: 3 },
        { command: 'cat', stdin: 'third\u0000', delaySeconds: 60 },
      ],
    });
    expect(status).toBe(202);
    expect(body.items).toMatchObject([
      { command: 'echo first', labels: { team: 'a' }, status: 'queued' },
      { argv: ['echo', 'second'], maxAttempts: 3 },
      { command: 'cat' },
    ]);
    expect(body.items[0]).not.toHaveProperty('stdout');
    const [stored] = await database.sql`
      select stdin, run_at - created_at as delay from errand.tasks where id = ${body.items[2].id}`;
    expect(stored?.stdin).toEqual(Buffer.from('third\u0000'));
    expect(await broker.queue.depth()).toMatchObject({ ready: 2, delayed: 1 });
  });

  it('takes a thousand tasks, and publishes a message for each', async () => {
    const { status, body } = await post({ tasks: many(1000) });
    expect([status, body.items.length]).toEqual([202, 1000]);
    expect(body.items[999].command).toBe('echo 999');
    const messages = (await broker.drain()) as { taskId: string }[];
    expect(new Set(messages.map(({ taskId }) => taskId)).size).toBe(1000);
    expect(await database.sql`select from errand.outbox`).toHaveLength(0);
  });

  it('creates none of them when one is wrong, and names that one', async () => {
    const answer = await post({ tasks: [...many(2), { command: 'x', timeoutSeconds: 0 }] });
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([
      { path: 'tasks.2.timeoutSeconds', message: 'must be a whole number from 1 to 840' },
    ]);
    expect(await countTasks()).toBe(0);
  });

  it('creates none of them when one cannot be stored', async () => {
    await database.sql`
      alter table errand.tasks add constraint broken check (command <> 'echo 1') not valid`;
    expectProblem(await post({ tasks: many(3) }), 500, 'internal_error');
    await database.sql`alter table errand.tasks drop constraint broken`;
    expect(await countTasks()).toBe(0);
  });

  it('creates them while the broker is away: the relay publishes later', async () => {
    await functions.queueWire.cut();
    const { status } = await post({ tasks: many(5) });
    await functions.queueWire.mend();
    expect(status).toBe(202);
    expect(await database.sql`select from errand.outbox`).toHaveLength(5);
  });

  it.each([
    ['no list', {}, 'tasks', 'must be an array of tasks'],
    ['an empty list', { tasks: [] }, 'tasks', 'must not be empty'],
    ['too many tasks', { tasks: many(1001) }, 'tasks', 'must not have more than 1000 items'],
    ['a task that is none', { tasks: [7] }, 'tasks.0', 'must be a JSON object'],
    ['an unknown field', { tasks: many(1), wait: 1 }, 'wait', 'is not a known field'],
  ])('refuses %s', async (_what, document, path, message) => {
    const answer = await post(document);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([{ path, message }]);
  });
});
