import {
  GetQueueAttributesCommand,
  SendMessageBatchCommand,
  type SendMessageBatchRequestEntry,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { QueueUnavailable, type TaskMessage, type TaskQueue } from './task-queue.ts';

/** The most entries that SQS takes in a batch. */
const SQS_BATCH = 10;

export interface SqsSettings {
  readonly url: string;
  readonly region: string;
  /** Of an emulator; undefined on AWS. */
  readonly endpoint: string | undefined;
}

/** Publishes through SQS, or through an emulator that speaks its API. */
export function openSqsQueue({ url, region, endpoint }: SqsSettings): TaskQueue {
  const client = new SQSClient({
    region,
    ...(endpoint && { endpoint }),
    maxAttempts: 2,
    requestHandler: { connectionTimeout: 1000, requestTimeout: 3000, throwOnRequestTimeout: true },
  });

  return {
    async publish(messages) {
      const batches = chunk(messages, SQS_BATCH);
      await unavailableOnError(
        Promise.all(batches.map((batch) => sendBatch(client, url, batch))),
        'The message was not stored.',
      );
    },

    async depth() {
      const { Attributes: counts } = await unavailableOnError(
        client.send(
          new GetQueueAttributesCommand({
            QueueUrl: url,
            AttributeNames: [
              'ApproximateNumberOfMessages',
              'ApproximateNumberOfMessagesNotVisible',
              'ApproximateNumberOfMessagesDelayed',
            ],
          }),
        ),
        'The queue did not answer.',
      );
      return {
        ready: Number(counts?.ApproximateNumberOfMessages ?? 0),
        inFlight: Number(counts?.ApproximateNumberOfMessagesNotVisible ?? 0),
        delayed: Number(counts?.ApproximateNumberOfMessagesDelayed ?? 0),
      };
    },

    async close() {
      client.destroy();
    },
  };
}

async function sendBatch(
  client: SQSClient,
  url: string,
  messages: readonly TaskMessage[],
): Promise<void> {
  const entries = messages.map(
    (message, index): SendMessageBatchRequestEntry => ({
      Id: String(index),
      MessageBody: JSON.stringify(message),
    }),
  );
  // A batch is a 200 even when SQS refused some of its entries.
  const { Failed: failed = [] } = await client.send(
    new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }),
  );
  const [first] = failed;
  if (first) throw new Error(`SQS refused ${failed.length} messages: ${first.Message}`);
}

async function unavailableOnError<T>(call: Promise<T>, message: string): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new QueueUnavailable(message, { cause: error });
  }
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
