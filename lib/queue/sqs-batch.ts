import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Logger } from '../observability/logger.ts';
import { count } from '../observability/metrics.ts';
import { TaskMessage } from './task-queue.ts';

/**
 * Hands each record of a batch to `deliver` and answers which ones to return to the queue. Records
 * are strangers: one that fails leaves the others alone, and what cannot be shown to have succeeded
 * is reported as failed.
 */
export async function deliverBatch(
  { Records: records }: SQSEvent,
  deliver: (message: TaskMessage) => Promise<void>,
  logger: Logger,
): Promise<SQSBatchResponse> {
  const verdicts = await Promise.all(
    records.map(async (record) => ({
      itemIdentifier: record.messageId,
      succeeded: await deliverRecord(record, deliver, logger),
    })),
  );
  return {
    batchItemFailures: verdicts.flatMap(({ itemIdentifier, succeeded }) =>
      succeeded ? [] : [{ itemIdentifier }],
    ),
  };
}

async function deliverRecord(
  { messageId, body, attributes }: SQSRecord,
  deliver: (message: TaskMessage) => Promise<void>,
  logger: Logger,
): Promise<boolean> {
  try {
    await deliver(TaskMessage.parse(JSON.parse(body)));
    return true;
  } catch (error) {
    count('errand_messages_delivered_total', { result: 'returned' });
    const receiveCount = Number(attributes.ApproximateReceiveCount);
    logger.error({ messageId, receiveCount, err: error }, 'returned a message to the queue');
    return false;
  }
}
