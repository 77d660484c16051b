import { unavailableOnError } from './broker-call.ts';
import { type CallSqs, makeCallSqs } from './sqs-client.ts';
import { openSqsDeadLetters } from './sqs-dead-letters.ts';
import { type OutgoingMessage, type TaskQueue, TRACEPARENT, toBody } from './task-queue.ts';

/** The most entries that SQS takes in a batch. */
const SQS_BATCH = 10;
/** Batches on their way at once: with more of them, one may time out waiting for the others. */
const LANES = 10;

export interface SqsSettings {
  readonly url: string;
  readonly deadLetterUrl: string;
  readonly region: string;
  /** Of an emulator; undefined on AWS. */
  readonly endpoint: string | undefined;
}

/** Publishes through SQS, or through an emulator that speaks its API. `env` has the credentials. */
export function openSqsQueue(
  { url, deadLetterUrl, region, endpoint }: SqsSettings,
  env: Readonly<Record<string, string | undefined>>,
): TaskQueue {
  const call = makeCallSqs({ region, endpoint: endpoint ?? new URL(url).origin }, env);
  const letters = openSqsDeadLetters({ call, url, deadLetterUrl });

  return {
    async publish(messages) {
      const waiting = chunk(messages, SQS_BATCH).values();
      const lane = async () => {
        for (const batch of waiting) await sendBatch(call, url, batch);
      };
      await unavailableOnError(
        'The message was not stored.',
        allOrFirstError(Array.from({ length: LANES }, lane)),
      );
    },
    depth: () => unavailableOnError('The queue did not answer.', readDepth(call, url)),
    async countDeadLetters() {
      const { ready, inFlight } = await unavailableOnError(
        'The dead-letter queue did not answer.',
        readDepth(call, deadLetterUrl),
      );
      return ready + inFlight; // In flight is what somebody looks at right now.
    },
    deadLetters: letters.list,
    redrive: letters.redrive,
    async close() {},
  };
}

async function readDepth(call: CallSqs, url: string) {
  const { Attributes: counts } = await call<{ Attributes?: Record<string, string> }>(
    'GetQueueAttributes',
    {
      QueueUrl: url,
      AttributeNames: [
        'ApproximateNumberOfMessages',
        'ApproximateNumberOfMessagesNotVisible',
        'ApproximateNumberOfMessagesDelayed',
      ],
    },
  );
  return {
    ready: Number(counts?.ApproximateNumberOfMessages ?? 0),
    inFlight: Number(counts?.ApproximateNumberOfMessagesNotVisible ?? 0),
    delayed: Number(counts?.ApproximateNumberOfMessagesDelayed ?? 0),
  };
}

async function sendBatch(
  call: CallSqs,
  url: string,
  messages: readonly OutgoingMessage[],
): Promise<void> {
  const entries = messages.map(({ taskId, delaySeconds, group, traceparent }, index) => ({
    Id: String(index),
    MessageBody: toBody({ taskId }),
    ...(delaySeconds > 0 && { DelaySeconds: Math.ceil(delaySeconds) }),
    // Of a standard queue this makes a fair one.
    ...(group !== undefined && { MessageGroupId: groupId(group) }),
    ...(traceparent && {
      MessageAttributes: { [TRACEPARENT]: { DataType: 'String', StringValue: traceparent } },
    }),
  }));
  // A batch is a 200 even when SQS refused some of its entries.
  const { Failed: failed = [] } = await call<{ Failed?: { Message?: string }[] }>(
    'SendMessageBatch',
    { QueueUrl: url, Entries: entries },
  );
  const [first] = failed;
  if (first) throw new Error(`SQS refused ${failed.length} messages: ${first.Message}`);
}

/** SQS takes up to 128 letters, digits and marks of ASCII; what it does not take is not unique. */
function groupId(group: string): string {
  return group.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, 128);
}

/** Nothing is on its way any more when this rejects, so that trying again is no race with it. */
async function allOrFirstError(sendings: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(sendings);
  const failed = results.find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
}

function chunk<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
