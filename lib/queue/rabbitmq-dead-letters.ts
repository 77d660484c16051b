import { once } from 'node:events';
import { unavailableOnError } from './broker-call.ts';
import { pickFrom } from './pick-letters.ts';
import { bodyOf, idOf, type RabbitMessage, traceparentOf } from './rabbitmq-message.ts';
import { mailTo, type Publisher, send } from './rabbitmq-publisher.ts';
import { MAX_DELIVERIES, rabbitNames } from './rabbitmq-topology.ts';
import type { DeadLetter, TaskQueue } from './task-queue.ts';

/** Letters that are looked at, and sent back, together. */
const BATCH = 100;
/** So long no letter comes where there are no more. */
const QUIET_MS = 500;
/** A request is answered within 28 s (lib/http). */
const LOOK_MS = 20_000;

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

/**
 * As many as are there now, in batches: one that nobody can handle may come back while we go on. Ends
 * in time for a request's answer to tell what was found, or sent back, until then.
 */
async function* receiveAll(publisher: Publisher, queue: string): AsyncGenerator<RabbitMessage[]> {
  const ask = <T>(call: Promise<T>) =>
    unavailableOnError('The dead-letter queue did not answer.', call);
  const until = performance.now() + LOOK_MS;
  await ask(publisher.answer(publisher.channel.basicQos({ prefetchCount: BATCH })));
  let left = await ask(countLetters(publisher, queue));
  while (left > 0 && performance.now() < until) {
    const letters = await ask(receive(publisher, queue, Math.min(left, BATCH)));
    if (letters.length === 0) return;
    yield letters;
    left -= letters.length;
  }
}

/**
 * By a consumer of its own, which has its own prefetch and leaves what it took with the channel. To
 * get messages one by one took 28 s for 10,000, since a quorum queue writes each `basic.get` down.
 */
async function receive(
  { channel, answer, lost }: Publisher,
  queue: string,
  most: number,
): Promise<RabbitMessage[]> {
  const letters: RabbitMessage[] = [];
  const over = new AbortController();
  // Somebody else may look at the rest.
  const quiet = setTimeout(() => over.abort(), QUIET_MS);
  const take = (letter: RabbitMessage) => {
    letters.push(letter);
    quiet.refresh();
    if (letters.length >= most) over.abort();
  };
  const { deadLetters } = rabbitNames(queue);
  try {
    const { consumerTag } = await answer(channel.basicConsume({ queue: deadLetters }, take));
    const signal = AbortSignal.any([over.signal, lost]);
    if (!signal.aborted) await once(signal, 'abort');
    await answer(channel.basicCancel({ consumerTag }));
  } finally {
    clearTimeout(quiet);
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
