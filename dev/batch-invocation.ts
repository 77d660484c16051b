import type { SQSEvent } from 'aws-lambda';
import { parseBatchResponse } from './batch-response.ts';
import type { EventSource } from './event-source-mapping.ts';
import { describeFailure, type Invocation } from './lambda-endpoint.ts';
import { type ReceivedMessage, sqsEvent } from './sqs-event.ts';

/**
 * Invokes the function with a batch and answers which of its messages failed. All of them did when
 * the function threw, exceeded its time, or answered what cannot be trusted; `wholeBatchFailed`
 * then hears why. Never rejects.
 */
export async function failedMessageIds(
  batch: readonly ReceivedMessage[],
  { queueArn, region, reportBatchItemFailures }: EventSource,
  invoke: (event: SQSEvent) => Promise<Invocation>,
  wholeBatchFailed: (reason: string) => void,
): Promise<ReadonlySet<string>> {
  const all = new Set(batch.map(({ MessageId }) => MessageId));
  const failAll = (reason: string) => {
    wholeBatchFailed(reason);
    return all;
  };
  try {
    const { payload, failed } = await invoke(sqsEvent(batch, queueArn, region));
    if (failed) return failAll(describeFailure(payload));
    if (!reportBatchItemFailures) return new Set();
    const result = parseBatchResponse(payload, all);
    if (result.kind === 'everything failed') return failAll(result.reason);
    return result.kind === 'failed' ? result.messageIds : new Set();
  } catch (error) {
    return failAll(error instanceof Error ? error.message : String(error));
  }
}
