import { unavailableOnError } from './broker-call.ts';
import { pickFrom } from './pick-letters.ts';
import { bodyOf, idOf, type RabbitMessage, traceparentOf } from './rabbitmq-message.ts';
import { mailTo, type Publisher, send } from './rabbitmq-publisher.ts';
import { MAX_DELIVERIES, rabbitNames } from './rabbitmq-topology.ts';
import type { DeadLetter, TaskQueue } from './task-queue.ts';

/** Letters that are looked at, and sent back, together. */
const BATCH = 100;

/** How the broker tells, newest first, where a message was dead-lettered and why. */
interface Death {
  readonly queue: string;
  readonly reason: 'delivery_limit' | 'rejected' | 'expired';
  /** Seconds since 1970. */
  readonly time: number;
}

interface DeadLetters {
  readonly list: TaskQueue['deadLetters'];
  readonly redrive: TaskQueue['redrive'];
}

/**
 * A letter that is looked at is held by the connection that got it, and free again when that is
 * closed. So each look has a connection of its own.
 */
export function openRabbitDeadLetters(queue: string, open: () => Promise<Publisher>): DeadLetters {
  const toLetter = (message: RabbitMessage) => toDeadLetter(message, queue);
  return {
    list: (limit, pick) =>
      withOwn(open, async (publisher) => {
        const picked: DeadLetter[] = [];
        for await (const letters of receiveAll(publisher, queue)) {
          picked.push(...(await pick(letters.map(toLetter))));
          if (picked.length >= limit) break;
        }
        return picked.slice(0, limit);
      }),

    redrive: (pick, id) =>
      withOwn(open, async (publisher) => {
        let moved = 0;
        for await (const letters of receiveAll(publisher, queue)) {
          const wanted = await pickFrom(letters, toLetter, pick, id);
          await unavailableOnError(
            'The dead letters were not all sent back.',
            sendBack(publisher, queue, wanted),
          );
          moved += wanted.length;
          if (letters.some((letter) => idOf(letter) === id)) break;
        }
        return moved;
      }),
  };
}

export async function countLetters({ channel, answer }: Publisher, queue: string): Promise<number> {
  const { deadLetters } = rabbitNames(queue);
  const { messageCount } = await answer(
    channel.queueDeclare({ queue: deadLetters, passive: true }),
  );
  return messageCount;
}

async function withOwn<T>(
  open: () => Promise<Publisher>,
  use: (publisher: Publisher) => Promise<T>,
): Promise<T> {
  const publisher = await unavailableOnError('The dead-letter queue did not answer.', open());
  try {
    return await use(publisher);
  } finally {
    await publisher.close();
  }
}

/** As many as are there now, in batches: one that nobody can handle may come back while we go on. */
async function* receiveAll(publisher: Publisher, queue: string): AsyncGenerator<RabbitMessage[]> {
  const ask = <T>(call: Promise<T>) =>
    unavailableOnError('The dead-letter queue did not answer.', call);
  let left = await ask(countLetters(publisher, queue));
  while (left > 0) {
    const letters = await ask(receive(publisher, queue, Math.min(left, BATCH)));
    if (letters.length === 0) return;
    yield letters;
    left -= letters.length;
  }
}

async function receive(
  { channel, answer }: Publisher,
  queue: string,
  most: number,
): Promise<RabbitMessage[]> {
  const { deadLetters } = rabbitNames(queue);
  const letters: RabbitMessage[] = [];
  while (letters.length < most) {
    const letter = await answer(channel.basicGet({ queue: deadLetters }));
    if (letter === undefined) break;
    letters.push(letter);
  }
  return letters;
}

/** A crash in between leaves a letter in both queues. */
async function sendBack(publisher: Publisher, queue: string, letters: readonly RabbitMessage[]) {
  const mail = letters.map((letter) =>
    mailTo({ routingKey: queue }, bodyOf(letter), idOf(letter), traceparentOf(letter)),
  );
  await send(publisher, mail);
  for (const { deliveryTag } of letters) publisher.channel.basicAck({ deliveryTag });
}

/** A letter comes without its receive count: it had all its deliveries, or was refused at the first. */
function toDeadLetter(letter: RabbitMessage, queue: string): DeadLetter {
  const deaths: readonly Death[] = letter.headers?.['x-death'] ?? [];
  const death = deaths.find((candidate) => candidate.queue === queue);
  return {
    id: idOf(letter),
    body: bodyOf(letter),
    receiveCount: death?.reason === 'delivery_limit' ? MAX_DELIVERIES : 1,
    sentAt: new Date((letter.timestamp ?? death?.time ?? 0) * 1000),
  };
}
