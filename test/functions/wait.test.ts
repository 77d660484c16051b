import { beforeEach, describe, expect, it } from 'vitest';
import { makeCancelTask } from '../../lib/tasks/cancel-task.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { ACTOR, storeTask } from '../support/a-task.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { deliver, request, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import { anSqsEvent, aRecordOf } from '../support/sqs-event.ts';

const { database, broker } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const post = (document: unknown, headers: Record<string, string>) =>
  request('create-task', aPost(document, headers));
const get = (taskId: string, query = '', headers = {}) =>
  request(
    'get-task',
    anHttpEvent({ path: `/api/tasks/${taskId}`, pathParameters: { taskId }, query, headers }),
  );

/** Runs the task of the next message, as a worker does. */
async function runNext(): Promise<void> {
  const messages = await eventually(async () => {
    const found = (await broker.drain()) as { taskId: TaskId }[];
    expect(found).toHaveLength(1);
    return found;
  });
  await deliver(anSqsEvent(...messages.map(({ taskId }) => aRecordOf(taskId))));
}

describe('Prefer: wait=N on a create', () => {
  it('answers 200 with the result of a command that ends within the time', async () => {
    const answering = post({ command: 'echo quick' }, { prefer: 'wait=20' });
    await runNext();
    const { status, headers, body } = await answering;
    expect(status).toBe(200);
    expect(headers['preference-applied']).toBe('wait=20');
    expect(headers.location).toBe(`/api/tasks/${body.id}`);
    expect(body).toMatchObject({ status: 'succeeded', stdout: 'quick\n', exitCode: 0 });
  });

  it('answers 200 with the result of a command that fails', async () => {
    const answering = post({ command: 'exit 3' }, { prefer: 'wait=20' });
    await runNext();
    expect(await answering).toMatchObject({ status: 200, body: { exitCode: 3 } });
  });

  it('answers 202 with the task when the time is over before', async () => {
    const { status, headers, body } = await post({ command: 'true' }, { prefer: 'wait=1' });
    expect([status, body.status]).toEqual([202, 'queued']);
    expect(headers.location).toBe(`/api/tasks/${body.id}`);
  });

  it('waits for a task that the key found again, too', async () => {
    const headers = { prefer: 'wait=20', 'idempotency-key': 'k' };
    const answering = Promise.all([
      post({ command: 'echo one' }, headers),
      post({ command: 'echo one' }, headers),
    ]);
    await runNext();
    const answers = await answering;
    expect(answers).toMatchObject([{ status: 200 }, { status: 200 }]);
    expect(answers[0].body).toEqual(answers[1].body);
  });

  it.each([
    ['wait=0', 'wait=0'],
    ['respond-async, wait=0', 'wait=0'],
    ['Wait = "0"', 'wait=0'],
    ['wait=x', undefined],
    ['wait=-1', undefined],
    ['return=minimal', undefined],
    ['await=5', undefined],
  ])('understands "%s", or ignores what it does not', async (prefer, applied) => {
    const { status, headers } = await post({ command: 'true' }, { prefer });
    expect([status, headers['preference-applied']]).toEqual([202, applied]);
  });
});

describe('?wait=N', () => {
  it('answers as soon as the task has ended', async () => {
    const task = await storeTask(database.sql);
    const answering = get(task, 'wait=20');
    await makeCancelTask({ sql: database.sql })(ACTOR, task);
    expect(await answering).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  });

  it('answers at once for a task that has ended', async () => {
    const task = await storeTask(database.sql);
    await makeCancelTask({ sql: database.sql })(ACTOR, task);
    const asked = performance.now();
    await get(task, 'wait=25');
    expect(performance.now() - asked).toBeLessThan(5000);
  });

  it('answers with the task as it is when the time is over', async () => {
    const task = await storeTask(database.sql);
    expect(await get(task, 'wait=1')).toMatchObject({ status: 200, body: { status: 'queued' } });
  });

  it('may be a preference as well, which is met as far as it can be', async () => {
    const task = await storeTask(database.sql);
    await makeCancelTask({ sql: database.sql })(ACTOR, task);
    const { headers } = await get(task, '', { prefer: 'wait=3600' });
    expect(headers['preference-applied']).toBe('wait=25');
  });

  it('works on a create', async () => {
    const answering = request('create-task', {
      ...aPost({ command: 'echo quick' }),
      rawQueryString: 'wait=20',
    });
    await runNext();
    expect(await answering).toMatchObject({ status: 200, body: { stdout: 'quick\n' } });
  });

  it.each(['26', '-1', 'x', '1.5', '', '1e1', '01'])('refuses ?wait=%s', async (wait) => {
    const task = await storeTask(database.sql);
    const answer = await get(task, `wait=${wait}`);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([
      { path: 'wait', message: 'must be a whole number from 0 to 25' },
    ]);
  });

  it('does not hold up other requests, though hundreds wait', async () => {
    const tasks = await Promise.all(Array.from({ length: 300 }, () => storeTask(database.sql)));
    const waiting = Promise.all(tasks.map((task) => get(task, 'wait=20')));
    const other = await storeTask(database.sql);
    const asked = performance.now();
    await get(other);
    expect(performance.now() - asked).toBeLessThan(3000);
    await database.sql`update errand.tasks set status = 'cancelled', finished_at = now()`;
    const answers = await waiting;
    expect(answers.every(({ body }) => body.status === 'cancelled')).toBe(true);
  });
});
