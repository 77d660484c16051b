import { beforeEach, describe, expect, it } from 'vitest';
import { aTaskId, storeTask } from '../support/a-task.ts';
import { eventually } from '../support/eventually.ts';
import { deliver, request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { theTask } from '../support/rows.ts';
import { anSqsEvent, aRecord, aRecordOf } from '../support/sqs-event.ts';

const functions = useFunctions();
const { database, broker } = functions;

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const find = (taskId: string) =>
  request('get-task', anHttpEvent({ path: `/api/tasks/${taskId}`, pathParameters: { taskId } }));

describe('execute-task', () => {
  it('runs the task of a message, and acknowledges it', async () => {
    const task = await storeTask(database.sql, { command: 'echo hello' });
    expect(await deliver(anSqsEvent(aRecordOf(task)))).toEqual({ batchItemFailures: [] });
    expect((await find(task)).body).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      stdout: 'hello\n',
    });
  });

  it('acknowledges the message of a command that failed', async () => {
    const task = await storeTask(database.sql, { command: 'exit 1' });
    expect(await deliver(anSqsEvent(aRecordOf(task)))).toEqual({ batchItemFailures: [] });
  });

  it('returns one bad message in ten, and runs the other tasks', async () => {
    const tasks = await Promise.all(Array.from({ length: 9 }, () => storeTask(database.sql)));
    const records = [...tasks.map((task) => aRecordOf(task)), aRecord({ messageId: 'bad' })];
    expect(await deliver(anSqsEvent(...records))).toEqual({
      batchItemFailures: [{ itemIdentifier: 'bad' }],
    });
    for (const task of tasks) expect((await find(task)).body.status).toBe('succeeded');
  });

  it('returns the message of a task that is not there', async () => {
    const record = aRecordOf(aTaskId(), { messageId: 'lost' });
    expect(await deliver(anSqsEvent(record))).toEqual({
      batchItemFailures: [{ itemIdentifier: 'lost' }],
    });
  });

  it('gives a task back when the function is about to end', async () => {
    const task = await storeTask(database.sql, { command: 'sleep 60' });
    const answer = await deliver(anSqsEvent(aRecordOf(task)), {
      getRemainingTimeInMillis: () => 10_300,
    });
    expect(answer).toEqual({ batchItemFailures: [] });
    expect((await theTask(database.sql, task)).status).toBe('queued');
    expect(await broker.drain()).toEqual([{ taskId: task }]);
  });

  it('takes an empty batch, which only asks whether commands can run here', async () => {
    expect(await deliver(anSqsEvent())).toEqual({ batchItemFailures: [] });
  });

  it('returns the message while Postgres is away, and runs the task after', async () => {
    const task = await storeTask(database.sql, { command: 'echo late' });
    await functions.databaseWire.cut();
    const event = anSqsEvent(aRecordOf(task, { messageId: 'again' }));
    expect(await deliver(event)).toEqual({ batchItemFailures: [{ itemIdentifier: 'again' }] });
    await functions.databaseWire.mend();
    await eventually(async () => {
      expect(await deliver(event)).toEqual({ batchItemFailures: [] });
    });
    expect((await find(task)).body.stdout).toBe('late\n');
  });
});
