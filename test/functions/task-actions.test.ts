import { beforeEach, describe, expect, it } from 'vitest';
import { requestCancel } from '../../lib/tasks/task-store.ts';
import { ACTOR, aTaskId, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

const { database, broker } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const act = (verb: 'cancel' | 'retry', taskId: string, headers = {}, query = '') =>
  request(
    `${verb}-task`,
    anHttpEvent({
      method: 'POST',
      path: `/api/tasks/${taskId}/${verb}`,
      pathParameters: { taskId },
      headers,
      query,
    }),
  );

describe('POST /api/tasks/{taskId}/cancel', () => {
  it('answers 202 with the task, which is cancelled at once when it was queued', async () => {
    const task = await storeTask(database.sql);
    const { status, headers, body } = await act('cancel', task);
    expect(status).toBe(202);
    expect(headers.location).toBe(`/api/tasks/${task}`);
    expect(body).toMatchObject({ id: task, status: 'cancelled', failure: null });
  });

  it('refuses query parameters, and changes nothing', async () => {
    const task = await storeTask(database.sql);
    const answer = await act('cancel', task, {}, 'wait=5');
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.detail).toBe('wait: is not a known parameter: there are none here');
    expect((await act('cancel', task)).status).toBe(202);
  });

  it('answers 202 with the task, which still runs', async () => {
    const task = await storeTask(database.sql);
    await claimed(database.sql, task);
    const { body } = await act('cancel', task);
    expect(body.status).toBe('running');
    expect(body.cancelRequestedAt).not.toBeNull();
  });

  it('answers 409 when the task has ended', async () => {
    const task = await storeTask(database.sql);
    await requestCancel(database.sql, ACTOR, task);
    expectProblem(await act('cancel', task), 409, 'task_ended');
  });
});

describe('POST /api/tasks/{taskId}/retry', () => {
  it('answers 202 with the task, which is queued again', async () => {
    const task = await storeTask(database.sql);
    await requestCancel(database.sql, ACTOR, task);
    const { status, body } = await act('retry', task);
    expect(status).toBe(202);
    expect(body).toMatchObject({ id: task, status: 'queued', finishedAt: null });
    expect(await broker.drain()).toEqual([{ taskId: task }]);
  });

  it('answers 409 when the task has not ended', async () => {
    expectProblem(await act('retry', await storeTask(database.sql)), 409, 'task_not_ended');
  });
});

describe.each(['cancel', 'retry'] as const)('POST /api/tasks/{taskId}/%s', (verb) => {
  it('answers 404 for a task that is not there', async () => {
    expectProblem(await act(verb, aTaskId()), 404, 'task_not_found');
  });

  it('answers 400 for an id that is none', async () => {
    expectProblem(await act(verb, 'latest'), 400, 'invalid_request');
  });

  it('answers 403 to the page of another site, and changes nothing', async () => {
    const task = await storeTask(database.sql);
    expectProblem(await act(verb, task, { origin: 'https://evil.example' }), 403, 'cross_origin');
    expect(await database.sql`select status from errand.tasks`).toEqual([{ status: 'queued' }]);
  });
});
