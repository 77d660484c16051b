import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import type { Logger } from '../observability/logger.ts';
import { count } from '../observability/metrics.ts';
import { type DeliveredMessage, parseBody, TRACEPARENT } from './task-queue.ts';

type Deliver = (message: DeliveredMessage) => Promise<void>;

/**
 * Hands each record of a batch to `deliver` and answers which ones to return to the queue. Records
 * are strangers: one that fails leaves the others alone, and what cannot be shown to have succeeded
 * is reported as failed.
 */
export async function deliverBatch(
  { Records: records }: SQSEvent,
  deliver: Deliver,
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
  { messageId, body, attributes, messageAttributes }: SQSRecord,
  deliver: Deliver,
  logger: Logger,
): Promise<boolean> {
  const facts = { messageId, receiveCount: Number(attributes.ApproximateReceiveCount) };
  const message = parseBody(body);
  if (message === undefined) {
    count('errand_messages_delivered_total', { result: 'returned' });
    // Without the complaint, which would repeat what somebody sent.
    logger.error(facts, 'returned a message that is none of ours');
    return false;
  }
  try {
    const traceparent = messageAttributes[TRACEPARENT]?.stringValue;
    await deliver({ ...message, messageId, traceparent });
    return true;
  } catch (error) {
    count('errand_messages_delivered_total', { result: 'returned' });
    const { taskId } = message;
    logger.error({ ...facts, taskId, err: error }, 'returned a message to the queue');
    return false;
  }
}
