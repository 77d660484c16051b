import {
  ChangeMessageVisibilityBatchCommand,
  DeleteMessageCommand,
  type Message,
  ReceiveMessageCommand,
  SendMessageCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import type { DeadLetter } from './task-queue.ts';

/** A letter that we look at is hidden from others for so long, should we die before handing it back. */
const LOOK_SECONDS = 30;

interface DeadLetters {
  list(limit: number): Promise<DeadLetter[]>;
  redrive(id?: string): Promise<number>;
}

/**
 * SQS has no way to look at a queue without receiving, so letters are received, and handed back by
 * setting their visibility timeout to zero. Its own redrive (StartMessageMoveTask) moves all or
 * nothing and is missing in the emulators.
 */
export function openSqsDeadLetters(queues: {
  client: SQSClient;
  url: string;
  deadLetterUrl: string;
}): DeadLetters {
  const { client, url, deadLetterUrl } = queues;

  /** Receives letters until `enough` says so or there are no more; all of them are hidden then. */
  async function receive(enough: (letters: readonly Message[]) => boolean): Promise<Message[]> {
    const letters: Message[] = [];
    const until = performance.now() + LOOK_SECONDS * 1000; // From then on they come round again.
    while (!enough(letters) && performance.now() < until) {
      const { Messages: messages = [] } = await client.send(
        new ReceiveMessageCommand({
          QueueUrl: deadLetterUrl,
          MaxNumberOfMessages: 10,
          VisibilityTimeout: LOOK_SECONDS,
          // Without a wait SQS asks some of its servers only, and may find nothing where there is.
          WaitTimeSeconds: 1,
          MessageSystemAttributeNames: ['ApproximateReceiveCount', 'SentTimestamp'],
        }),
      );
      if (messages.length === 0) break;
      letters.push(...messages);
    }
    return letters;
  }

  async function handBack(letters: readonly Message[]): Promise<void> {
    for (let from = 0; from < letters.length; from += 10) {
      const entries = letters.slice(from, from + 10).map(({ ReceiptHandle }, index) => ({
        Id: String(index),
        ReceiptHandle,
        VisibilityTimeout: 0,
      }));
      await client.send(
        new ChangeMessageVisibilityBatchCommand({ QueueUrl: deadLetterUrl, Entries: entries }),
      );
    }
  }

  async function move({ Body, ReceiptHandle }: Message): Promise<void> {
    await client.send(new SendMessageCommand({ QueueUrl: url, MessageBody: Body }));
    await client.send(new DeleteMessageCommand({ QueueUrl: deadLetterUrl, ReceiptHandle }));
  }

  return {
    async list(limit) {
      const letters = await receive((seen) => seen.length >= limit);
      await handBack(letters);
      return letters.slice(0, limit).map(toDeadLetter);
    },

    async redrive(id) {
      if (id === undefined) return redriveAll();
      const letters = await receive((seen) => seen.some(({ MessageId }) => MessageId === id));
      const wanted = letters.filter(({ MessageId }) => MessageId === id);
      await handBack(letters.filter(({ MessageId }) => MessageId !== id));
      for (const letter of wanted) await move(letter);
      return wanted.length;
    },
  };

  async function redriveAll(): Promise<number> {
    let moved = 0;
    for (;;) {
      const letters = await receive((seen) => seen.length > 0);
      if (letters.length === 0) return moved;
      await Promise.all(letters.map(move));
      moved += letters.length;
    }
  }
}

function toDeadLetter({ MessageId, Body, Attributes }: Message): DeadLetter {
  return {
    id: MessageId ?? '',
    body: Body ?? '',
    receiveCount: Number(Attributes?.ApproximateReceiveCount ?? 0),
    sentAt: new Date(Number(Attributes?.SentTimestamp ?? 0)),
  };
}
