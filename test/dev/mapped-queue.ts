import { randomUUID } from 'node:crypto';
import {
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { pseudoParameters } from '../../dev/cloudformation.ts';
import {
  type EventSource,
  type EventSourceMapping,
  type MappingEvent,
  startEventSourceMapping,
} from '../../dev/event-source-mapping.ts';
import type { Invocation } from '../../dev/lambda-endpoint.ts';
import { ensureQueues, type Queue } from '../../dev/queues.ts';

/** A queue with a dead-letter queue, and what a test does to it from outside. */
export interface MappedQueue {
  /** Starts the mapping; what is not given is AWS's default. */
  map(
    invoke: (event: unknown) => Promise<Invocation>,
    settings?: Partial<EventSource>,
  ): EventSourceMapping;
  /** What the mapping reported so far. */
  readonly reports: MappingEvent[];
  send(bodies: readonly string[]): Promise<void>;
  counts(): Promise<{ ready: number; inFlight: number }>;
  /** Bodies of the messages that another consumer can receive, within two seconds. */
  receivable(): Promise<(string | undefined)[]>;
  /** Bodies of the messages that rest in the dead-letter queue. */
  deadLetters(): Promise<(string | undefined)[]>;
  remove(): Promise<void>;
}

export interface MappedQueueOptions {
  readonly visibilityTimeoutSeconds?: number;
  readonly maxReceiveCount?: number;
}

export async function makeMappedQueue(
  endpoint: string,
  { visibilityTimeoutSeconds = 60, maxReceiveCount = 3 }: MappedQueueOptions = {},
): Promise<MappedQueue> {
  const region = 'us-east-1';
  const sqs = new SQSClient({ endpoint, region, maxAttempts: 1 });
  const id = randomUUID();
  const template = {
    Tasks: {
      Type: 'AWS::SQS::Queue',
      Properties: {
        QueueName: `tasks-${id}`,
        VisibilityTimeout: visibilityTimeoutSeconds,
        RedrivePolicy: {
          deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] },
          maxReceiveCount,
        },
      },
    },
    Dead: { Type: 'AWS::SQS::Queue', Properties: { QueueName: `dead-${id}` } },
  };
  const repair = () => ensureQueues(sqs, template, pseudoParameters(region, 'test'));
  const queues = await repair();
  const { url, arn } = queues.get('Tasks') as Queue;
  const dead = queues.get('Dead') as Queue;

  const reports: MappingEvent[] = [];
  const mappings: EventSourceMapping[] = [];
  return {
    reports,
    map(invoke, settings = {}) {
      const source = {
        queueUrl: url,
        queueArn: arn,
        region,
        batchSize: 10,
        maximumBatchingWindowSeconds: 0,
        maximumConcurrency: 10,
        reportBatchItemFailures: true,
        waitTimeSeconds: 1,
        ...settings,
      };
      const report = (event: MappingEvent) => reports.push(event);
      const mapping = startEventSourceMapping(source, { sqs, invoke, repair, report });
      mappings.push(mapping);
      return mapping;
    },
    async send(bodies) {
      for (let start = 0; start < bodies.length; start += 10) {
        const entries = bodies
          .slice(start, start + 10)
          .map((body, index) => ({ Id: String(index), MessageBody: body }));
        await sqs.send(new SendMessageBatchCommand({ QueueUrl: url, Entries: entries }));
      }
    },
    async counts() {
      const { Attributes: attributes } = await sqs.send(
        new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
      );
      return {
        ready: Number(attributes?.ApproximateNumberOfMessages),
        inFlight: Number(attributes?.ApproximateNumberOfMessagesNotVisible),
      };
    },
    async receivable() {
      const { Messages: messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: url, WaitTimeSeconds: 2 }),
      );
      return messages.map(({ Body: body }) => body);
    },
    async deadLetters() {
      const { Messages: messages = [] } = await sqs.send(
        new ReceiveMessageCommand({
          QueueUrl: dead.url,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: 0,
        }),
      );
      return messages.map(({ Body: body }) => body);
    },
    async remove() {
      await Promise.all(mappings.map((mapping) => mapping.stop(1000)));
      for (const queueUrl of [url, dead.url]) {
        await sqs.send(new DeleteQueueCommand({ QueueUrl: queueUrl }));
      }
      sqs.destroy();
    },
  };
}
