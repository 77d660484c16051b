import { unavailableOnError } from './broker-call.ts';
import { pickFrom } from './pick-letters.ts';
import type { CallSqs } from './sqs-client.ts';
import { type DeadLetter, type TaskQueue, TRACEPARENT } from './task-queue.ts';

/** A letter that we look at is hidden from others for so long, should we die before handing it back. */
const LOOK_SECONDS = 30;
/** What SQS hands over at once. */
const BATCH = 10;

interface Queues {
  readonly call: CallSqs;
  readonly url: string;
  readonly deadLetterUrl: string;
}

/** https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html */
interface Message {
  readonly MessageId?: string;
  readonly Body?: string;
  readonly ReceiptHandle?: string;
  readonly Attributes?: Readonly<Record<string, string>>;
  readonly MessageAttributes?: object;
}

interface DeadLetters {
  readonly list: TaskQueue['deadLetters'];
  readonly redrive: TaskQueue['redrive'];
}

/**
 * SQS has no way to look at a queue without receiving, so letters are received, and handed back by
 * setting their visibility timeout to zero. Its own redrive (StartMessageMoveTask) moves all or
 * nothing and is missing in the emulators.
 */
export function openSqsDeadLetters(queues: Queues): DeadLetters {
  return {
    async list(limit, pick) {
      const seen: Message[] = [];
      const picked: DeadLetter[] = [];
      try {
        for await (const batch of receiveAll(queues)) {
          seen.push(...batch);
          picked.push(...(await pick(batch.map(toDeadLetter))));
          if (picked.length >= limit) break;
        }
      } finally {
        await handBack(queues, seen);
      }
      return picked.slice(0, limit);
    },

    async redrive(pick, id) {
      const seen = new Set<Message>();
      let moved = 0;
      try {
        for await (const batch of receiveAll(queues)) {
          for (const message of batch) seen.add(message);
          const wanted = await pickFrom(batch, toDeadLetter, pick, id);
          await Promise.all(wanted.map((message) => move(queues, message)));
          for (const message of wanted) seen.delete(message);
          moved += wanted.length;
          if (batch.some(({ MessageId }) => MessageId === id)) break;
        }
      } finally {
        await handBack(queues, [...seen]);
      }
      return moved;
    },
  };
}

/** Letters in batches, until there are no more or they would come round again. They are hidden then. */
async function* receiveAll({ call, deadLetterUrl }: Queues): AsyncGenerator<Message[]> {
  const until = performance.now() + LOOK_SECONDS * 1000;
  while (performance.now() < until) {
    const { Messages: messages = [] } = await unavailableOnError(
      'The dead-letter queue did not answer.',
      call<{ Messages?: Message[] }>('ReceiveMessage', {
        QueueUrl: deadLetterUrl,
        MaxNumberOfMessages: BATCH,
        VisibilityTimeout: LOOK_SECONDS,
        // Without a wait SQS asks some of its servers only, and may find nothing where there is.
        WaitTimeSeconds: 1,
        MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
        MessageAttributeNames: [TRACEPARENT],
      }),
    );
    if (messages.length === 0) return;
    yield messages;
  }
}

async function handBack(
  { call, deadLetterUrl }: Queues,
  letters: readonly Message[],
): Promise<void> {
  for (let from = 0; from < letters.length; from += BATCH) {
    const entries = letters.slice(from, from + BATCH).map(({ ReceiptHandle }, index) => ({
      Id: String(index),
      ReceiptHandle,
      VisibilityTimeout: 0,
    }));
    await unavailableOnError(
      'The dead letters were not handed back.',
      call('ChangeMessageVisibilityBatch', { QueueUrl: deadLetterUrl, Entries: entries }),
    );
  }
}

async function move(
  { call, url, deadLetterUrl }: Queues,
  { Body, MessageAttributes, ReceiptHandle }: Message,
): Promise<void> {
  await unavailableOnError(
    'The dead letters were not all sent back.',
    call('SendMessage', { QueueUrl: url, MessageBody: Body, MessageAttributes }).then(() =>
      call('DeleteMessage', { QueueUrl: deadLetterUrl, ReceiptHandle }),
    ),
  );
}

function toDeadLetter({ MessageId, Body, Attributes }: Message): DeadLetter {
  return {
    id: MessageId ?? '',
    body: Body ?? '',
    receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 0),
    sentAt: new Date(Number(Attributes?.SentTimestamp ?? 0)),
  };
}
