import { describe, expect, it } from 'vitest';
import { deliverBatch } from '../../lib/queue/sqs-batch.ts';
import type { TaskMessage } from '../../lib/queue/task-queue.ts';
import { aTaskId } from '../support/a-task.ts';
import { quiet } from '../support/quiet.ts';
import { anSqsEvent, aRecord, aRecordOf } from '../support/sqs-event.ts';

/** Delivers the records; those whose task is in `failing` fail. */
async function deliver(records: ReturnType<typeof aRecord>[], failing: readonly string[] = []) {
  const delivered: string[] = [];
  const answer = await deliverBatch(
    anSqsEvent(...records),
    async ({ taskId }: TaskMessage) => {
      if (failing.includes(taskId)) throw new Error('the database is away');
      delivered.push(taskId);
    },
    quiet,
  );
  return { delivered, returned: answer.batchItemFailures.map((failure) => failure.itemIdentifier) };
}

describe('deliverBatch', () => {
  it('acknowledges what was delivered', async () => {
    const taskId = aTaskId();
    const { delivered, returned } = await deliver([aRecordOf(taskId)]);
    expect(delivered).toEqual([taskId]);
    expect(returned).toEqual([]);
  });

  it('returns one bad record in ten, and drags no other along', async () => {
    const tasks = Array.from({ length: 9 }, aTaskId);
    const records = [...tasks.map((id) => aRecordOf(id)), aRecord({ body: 'x', messageId: 'bad' })];
    const { delivered, returned } = await deliver(records);
    expect(delivered).toEqual(tasks);
    expect(returned).toEqual(['bad']);
  });

  it('returns one failed delivery in ten, and drags no other along', async () => {
    const tasks = Array.from({ length: 10 }, aTaskId);
    const [unlucky = aTaskId(), ...others] = tasks;
    const records = tasks.map((id) => aRecordOf(id, { messageId: `message of ${id}` }));
    const { delivered, returned } = await deliver(records, [unlucky]);
    expect(delivered).toEqual(others);
    expect(returned).toEqual([`message of ${unlucky}`]);
  });

  it.each([
    ['no text at all', ''],
    ['text that is not JSON', '{"taskId":'],
    ['null', 'null'],
    ['an array', '[]'],
    ['no task id', '{}'],
    ['an id that is no UUID', '{"taskId":"1"}'],
    ['an id that is a number', '{"taskId":7}'],
    ['fields that are not ours', `{"taskId":"${aTaskId()}","command":"rm -rf /"}`],
  ])('returns a message with %s', async (_what, body) => {
    const { delivered, returned } = await deliver([aRecord({ body, messageId: 'bad' })]);
    expect(delivered).toEqual([]);
    expect(returned).toEqual(['bad']);
  });

  it('acknowledges an empty batch', async () => {
    expect(await deliver([])).toEqual({ delivered: [], returned: [] });
  });
});
