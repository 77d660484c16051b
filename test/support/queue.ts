import { randomUUID } from 'node:crypto';
import {
  ChangeMessageVisibilityBatchCommand,
  CreateQueueCommand,
  DeleteMessageBatchCommand,
  DeleteQueueCommand,
  type Message,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import type { SQSRecord } from 'aws-lambda';
import { afterAll, beforeAll, inject } from 'vitest';
import { type ReceivedMessage, sqsEvent } from '../../dev/sqs-event.ts';
import { openSqsQueue, type SqsSettings } from '../../lib/queue/sqs.ts';
import type { TaskQueue } from '../../lib/queue/task-queue.ts';

/** A queue of the test file's own, on the emulator of the run. */
export interface TestQueue {
  readonly settings: SqsSettings;
  readonly queue: TaskQueue;
  /** Takes all messages that are in the queue, and returns their bodies. */
  drain(): Promise<unknown[]>;
  /** Empties the queue, of messages that are delayed or in flight, too. */
  purge(): Promise<void>;
}

export function useQueue(): TestQueue {
  const test = {
    settings: undefined as unknown as SqsSettings,
    queue: undefined as unknown as TaskQueue,
    drain: () => drainQueue(test.settings),
    purge: () => purgeQueue(test.settings),
  };
  beforeAll(async () => {
    test.settings = await createQueue(inject('sqsEndpoint'));
    test.queue = openSqsQueue(test.settings, process.env);
  });
  afterAll(async () => {
    await test.queue.close();
    await deleteQueue(test.settings);
  });
  return test;
}

/** Makes a queue with a new name, and its dead-letter queue. */
export async function createQueue(endpoint: string): Promise<SqsSettings> {
  const region = 'us-east-1';
  return withClient({ endpoint, region }, async (sqs) => {
    const name = `test-${randomUUID()}`;
    const create = async (name: string, Attributes: Record<string, string>) => {
      const { QueueUrl: url = '' } = await sqs.send(
        new CreateQueueCommand({ QueueName: name, Attributes }),
      );
      return url;
    };
    const deadLetterUrl = await create(`${name}-dead-letters`, {});
    const url = await create(name, {
      RedrivePolicy: JSON.stringify({
        deadLetterTargetArn: `arn:aws:sqs:${region}:000000000000:${name}-dead-letters`,
        maxReceiveCount: 5,
      }),
    });
    return { url, deadLetterUrl, endpoint, region };
  });
}

export async function deleteQueue(settings: SqsSettings): Promise<void> {
  await withClient(settings, async (sqs) => {
    for (const url of [settings.url, settings.deadLetterUrl]) {
      await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
    }
  });
}

/** Puts any text into a queue, as somebody else may. */
export async function sendRaw(
  settings: SqsSettings,
  url: string,
  body: string,
  traceparent?: string,
): Promise<void> {
  const attributes = traceparent && {
    MessageAttributes: { traceparent: { DataType: 'String', StringValue: traceparent } },
  };
  await withClient(settings, (sqs) =>
    sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: body, ...attributes })),
  );
}

/** A worker's side of a queue, over connections of its own. */
export interface Receiver {
  /** Some of the messages that are ready, hidden from others for two seconds. */
  receive(most: number): Promise<Message[]>;
  remove(messages: readonly Message[]): Promise<void>;
  /** Ends their visibility timeout. */
  showAgain(messages: readonly Message[]): Promise<void>;
  close(): void;
}

export function openReceiver({ url: QueueUrl, region, endpoint }: SqsSettings): Receiver {
  const sqs = new SQSClient({
    region,
    ...(endpoint && { endpoint }),
    maxAttempts: 1,
    requestHandler: { requestTimeout: 1000, throwOnRequestTimeout: true },
  });
  const entriesOf = (messages: readonly Message[]) =>
    messages.map(({ ReceiptHandle }, index) => ({ Id: String(index), ReceiptHandle }));
  return {
    async receive(most) {
      const { Messages: messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl,
          MaxNumberOfMessages: most,
          VisibilityTimeout: 2,
          MessageSystemAttributeNames: ['ApproximateReceiveCount'],
          MessageAttributeNames: ['All'],
        }),
      );
      return messages;
    },
    async remove(messages) {
      const Entries = entriesOf(messages);
      if (Entries.length > 0) await sqs.send(new DeleteMessageBatchCommand({ QueueUrl, Entries }));
    },
    async showAgain(messages) {
      const Entries = entriesOf(messages).map((entry) => ({ ...entry, VisibilityTimeout: 0 }));
      if (Entries.length > 0) {
        await sqs.send(new ChangeMessageVisibilityBatchCommand({ QueueUrl, Entries }));
      }
    },
    close: () => sqs.destroy(),
  };
}

/** Takes all messages that are in a queue now, and returns their bodies. */
export async function drainQueue(settings: SqsSettings, url = settings.url): Promise<unknown[]> {
  return withClient(settings, async (sqs) => {
    const bodies: unknown[] = [];
    for (;;) {
      const { Messages: messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: url, MaxNumberOfMessages: 10 }),
      );
      if (messages.length === 0) return bodies;
      bodies.push(...messages.map(({ Body: body = '' }) => JSON.parse(body) as unknown));
      const Entries = messages.map(({ ReceiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle,
      }));
      await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: url, Entries }));
    }
  });
}

/** Takes the messages that are in a queue now, as an event source mapping hands them over. */
export async function takeRecords(settings: SqsSettings): Promise<SQSRecord[]> {
  return withClient(settings, async (sqs) => {
    const records: SQSRecord[] = [];
    for (;;) {
      const { Messages: messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: settings.url,
          MaxNumberOfMessages: 10,
          MessageSystemAttributeNames: ['All'],
          MessageAttributeNames: ['All'],
        }),
      );
      if (messages.length === 0) return records;
      const event = sqsEvent(messages as ReceivedMessage[], 'arn', settings.region);
      records.push(...event.Records);
    }
  });
}

export async function purgeQueue(settings: SqsSettings, url = settings.url): Promise<void> {
  await withClient(settings, (sqs) => sqs.send(new PurgeQueueCommand({ QueueUrl: url })));
}

type Place = Pick<SqsSettings, 'endpoint' | 'region'>;

async function withClient<T>({ endpoint, region }: Place, use: (sqs: SQSClient) => Promise<T>) {
  const sqs = new SQSClient({ region, ...(endpoint && { endpoint }) });
  try {
    return await use(sqs);
  } finally {
    sqs.destroy();
  }
}
