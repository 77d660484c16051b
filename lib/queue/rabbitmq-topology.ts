import { setTimeout as delay } from 'node:timers/promises';
import { AMQPError, type Channel } from 'rabbitmq-client';
import type { Answer } from './rabbitmq-link.ts';

/** What the queue is called, and what belongs to it. */
export interface RabbitNames {
  readonly queue: string;
  readonly deadLetters: string;
  /** The queues that hold messages back, the shortest first. */
  readonly delays: readonly string[];
}

/** So often a message is delivered before it becomes a dead letter: as SQS's maxReceiveCount. */
export const MAX_DELIVERIES = 5;

/** Seconds double from one level to the next; ten of them reach 1023 s, past every delay (900 s). */
const LEVELS = 10;

/** The broker has something of that name which is not ours. Nothing repairs that but an operator. */
export class QueueDiffers extends Error {
  override readonly name = 'QueueDiffers';
}

/**
 * Consumers of a queue that was deleted are told 33 ms later, and never when there is a queue of the
 * same name again by then (RabbitMQ 3.10.8): they would wait at nothing.
 */
const REMAKE_AFTER_MS = 500;

/** Something of the queue is not there any more, and is to be declared again. */
export class QueueMissing extends Error {
  override readonly name = 'QueueMissing';
}

/** Of a link that may not be open yet. */
interface Broker {
  readonly channel: Channel;
  readonly answer: Answer;
}

export interface Topology {
  /** Declares it, unless that was done before. @throws QueueDiffers */
  ensure(broker: Broker): Promise<void>;
  /** Declares it in any case. @throws QueueDiffers */
  repair(broker: Broker): Promise<void>;
  /** Hears why a link was lost: perhaps it is to be declared again. */
  doubt(reason: unknown): void;
}

/** Declares what belongs to a queue once, since connecting again must be quick: it takes 44 calls. */
export function topologyOf(queue: string): Topology {
  let state: 'unknown' | 'declared' | 'missing' = 'unknown';
  return {
    async ensure(broker) {
      if (state === 'declared') return;
      if (state === 'missing') await delay(REMAKE_AFTER_MS);
      await declareTopology(broker, queue);
      state = 'declared';
    },
    repair: (broker) => declareTopology(broker, queue),
    doubt(reason) {
      const missing = reason instanceof AMQPError && reason.code === 'NOT_FOUND';
      if (missing || reason instanceof QueueMissing) state = 'missing';
    },
  };
}

export function rabbitNames(queue: string): RabbitNames {
  return {
    queue,
    deadLetters: `${queue}.dead-letters`,
    delays: Array.from({ length: LEVELS }, (_, level) => delayQueue(queue, level)),
  };
}

/** Where a message enters that is to stay out of sight: each level holds it back, or lets it pass. */
export function delayedRoute(queue: string, seconds: number) {
  const bits = Math.ceil(seconds).toString(2).padStart(LEVELS, '0');
  return { exchange: delayExchange(queue, LEVELS - 1), routingKey: [...bits].join('.') };
}

/**
 * Makes the queues where they are missing, and changes nothing where they are there.
 * Every delay has a way of its own through queues of one time to live each, so that no message
 * waits behind one with a longer delay, and there are ten such queues for nine hundred delays.
 * @throws QueueDiffers
 */
async function declareTopology(broker: Broker, queue: string): Promise<void> {
  const { deadLetters } = rabbitNames(queue);
  await declare(broker, deadLetters, {
    // Looking at a letter is a delivery, too, and RabbitMQ 4 drops a message after twenty of them.
    'x-delivery-limit': 1_000_000,
  });
  await declare(broker, queue, {
    ...forwarding('', deadLetters),
    'x-delivery-limit': MAX_DELIVERIES - 1, // It counts redeliveries.
  });
  for (let level = 0; level < LEVELS; level++) await declareLevel(broker, queue, level);
}

/** A level's queue holds a message for 2^level seconds; its exchange sends by the level's own bit. */
async function declareLevel(broker: Broker, queue: string, level: number): Promise<void> {
  const { channel, answer } = broker;
  const exchange = delayExchange(queue, level);
  const next = level === 0 ? undefined : delayExchange(queue, level - 1);
  const bit = (value: '0' | '1') =>
    [...Array<string>(LEVELS - 1 - level).fill('*'), value, '#'].join('.');

  await answer(channel.exchangeDeclare({ exchange, type: 'topic', durable: true }));
  await declare(broker, delayQueue(queue, level), {
    ...(next === undefined ? forwarding('', queue) : forwarding(next)),
    'x-message-ttl': 1000 * 2 ** level,
  });
  const held = { queue: delayQueue(queue, level), exchange, routingKey: bit('1') };
  await answer(channel.queueBind(held));
  const passed = { routingKey: bit('0') };
  await answer(
    next === undefined
      ? channel.queueBind({ queue, exchange, ...passed })
      : channel.exchangeBind({ source: exchange, destination: next, ...passed }),
  );
}

/** A message leaves its queue only once the next one has it, also when one of them is not there. */
function forwarding(exchange: string, routingKey?: string) {
  return {
    'x-dead-letter-exchange': exchange,
    ...(routingKey !== undefined && { 'x-dead-letter-routing-key': routingKey }),
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish', // At least once needs it. There is no limit to overflow.
  };
}

async function declare(
  { channel, answer }: Broker,
  queue: string,
  settings: Readonly<Record<string, string | number>>,
): Promise<void> {
  try {
    const declared = channel.queueDeclare({
      queue,
      durable: true,
      arguments: { 'x-queue-type': 'quorum', ...settings },
    });
    await answer(declared);
  } catch (error) {
    if (!(error instanceof AMQPError) || error.code !== 'PRECONDITION_FAILED') throw error;
    const difference = error.message.replace(/^.*PRECONDITION_FAILED - /, '');
    throw new QueueDiffers(
      `RabbitMQ has a queue ${queue} that is not as errand makes it: ${difference}. ` +
        `Delete that queue once it is empty (rabbitmqctl delete_queue ${queue} --if-empty) and it ` +
        'is made anew, or name another one with RABBITMQ_QUEUE.',
      { cause: error },
    );
  }
}

const delayExchange = (queue: string, level: number) => `${queue}.delay.${level}`;
const delayQueue = (queue: string, level: number) => `${queue}.delay-${2 ** level}s`;
