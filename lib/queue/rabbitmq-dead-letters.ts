import { bodyOf, idOf, type RabbitMessage } from './rabbitmq-message.ts';
import { mailTo, type Publisher, send } from './rabbitmq-publisher.ts';
import { MAX_DELIVERIES, rabbitNames } from './rabbitmq-topology.ts';
import type { DeadLetter } from './task-queue.ts';

/** Letters that are sent back together. */
const BATCH = 100;

/** How the broker tells, newest first, where a message was dead-lettered and why. */
interface Death {
  readonly queue: string;
  readonly reason: 'delivery_limit' | 'rejected' | 'expired';
  /** Seconds since 1970. */
  readonly time: number;
}

/** Up to `limit` letters. They are held by the connection, and free again when it is closed. */
export async function listLetters(
  publisher: Publisher,
  queue: string,
  limit: number,
): Promise<DeadLetter[]> {
  const letters = await take(publisher, queue, (taken) => taken.length >= limit);
  return letters.map((letter) => toDeadLetter(letter, queue));
}

/** Sends letters back, all or those with the id, and returns how many. */
export async function redriveLetters(
  publisher: Publisher,
  queue: string,
  id: string | undefined,
): Promise<number> {
  // Those that are there now: one that nobody can handle would come back while we go on.
  let left = await countLetters(publisher, queue);
  let moved = 0;
  while (left > 0) {
    const most = Math.min(left, BATCH);
    const letters = await take(publisher, queue, (taken) => taken.length >= most);
    const wanted = letters.filter((letter) => id === undefined || idOf(letter) === id);
    await sendBack(publisher, queue, wanted);
    moved += wanted.length;
    if (letters.length === 0 || (id !== undefined && moved > 0)) return moved;
    left -= letters.length;
  }
  return moved;
}

/** A crash in between leaves a letter in both queues. */
async function sendBack(publisher: Publisher, queue: string, letters: readonly RabbitMessage[]) {
  const mail = letters.map((letter) => mailTo({ routingKey: queue }, bodyOf(letter), idOf(letter)));
  await send(publisher, mail);
  for (const { deliveryTag } of letters) publisher.channel.basicAck({ deliveryTag });
}

async function take(
  { channel, answer }: Publisher,
  queue: string,
  enough: (taken: readonly RabbitMessage[]) => boolean,
): Promise<RabbitMessage[]> {
  const { deadLetters } = rabbitNames(queue);
  const taken: RabbitMessage[] = [];
  while (!enough(taken)) {
    const letter = await answer(channel.basicGet({ queue: deadLetters }));
    if (letter === undefined) break;
    taken.push(letter);
  }
  return taken;
}

async function countLetters({ channel, answer }: Publisher, queue: string): Promise<number> {
  const { deadLetters } = rabbitNames(queue);
  const { messageCount } = await answer(
    channel.queueDeclare({ queue: deadLetters, passive: true }),
  );
  return messageCount;
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
