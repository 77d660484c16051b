import { setTimeout as delay } from 'node:timers/promises';
import { count } from '../observability/metrics.ts';
import type { ConsumerOptions } from './rabbitmq-consumer.ts';
import type { Link } from './rabbitmq-link.ts';
import {
  bodyOf,
  idOf,
  type RabbitMessage,
  receiveCountOf,
  traceparentOf,
} from './rabbitmq-message.ts';
import { HopelessMessage, parseBody } from './task-queue.ts';

/** Before a message goes back: it would return at once, and be given up within milliseconds. */
const RETURN_AFTER_MS = 1000;

interface Delivery {
  readonly link: Link;
  readonly message: RabbitMessage;
}

/** Acknowledged, delivered again, or at rest in the dead-letter queue. */
type Verdict = 'done' | 'again' | 'give up';

interface Deliveries {
  take(delivery: Delivery): void;
  /** Begins nothing any more. */
  pause(): void;
  /** Gives back what has not been begun. */
  giveBack(): void;
  /** Resolves when nothing is being worked on. */
  idle(): Promise<void>;
}

/**
 * Works on so many messages at once. A message is acknowledged when its task is done with, as late
 * as that: so prefetch bounds what runs here, and the broker hands on what a killed worker held.
 */
export function startDeliveries(options: Omit<ConsumerOptions, 'settings'>): Deliveries {
  const { concurrency, deliver, logger } = options;
  const working = new Map<string, Promise<void>>();
  const paused = new AbortController();
  let waiting: Delivery[] = [];

  function take(delivery: Delivery): void {
    // After a lost link, what is worked on over the old one counts, too.
    const full = working.size >= concurrency || paused.signal.aborted;
    if (isWorkedOn(delivery)) conclude(delivery, 'done');
    else if (full) waiting.push(delivery);
    else begin(delivery);
  }

  /**
   * It came over a link that was lost, perhaps since the command runs for longer than the broker
   * waits for acknowledgements (consumer_timeout). The task needs no message any more, and one that
   * is not acknowledged would lose this link as well.
   */
  function isWorkedOn({ message }: Delivery): boolean {
    return working.has(idOf(message));
  }

  function begin(delivery: Delivery): void {
    const id = idOf(delivery.message);
    const work = judge(delivery.message).then((verdict) => {
      working.delete(id);
      conclude(delivery, verdict);
      next();
    });
    working.set(id, work);
  }

  function next(): void {
    if (paused.signal.aborted) return;
    waiting = waiting.filter(({ link }) => !link.lost.aborted);
    const delivery = waiting.shift();
    if (delivery) take(delivery);
  }

  async function judge(message: RabbitMessage): Promise<Verdict> {
    const facts = { messageId: idOf(message), receiveCount: receiveCountOf(message) };
    const parsed = parseBody(bodyOf(message));
    if (parsed === undefined) {
      count('errand_messages_delivered_total', { result: 'refused' });
      logger.error(facts, 'gave up on a message that is none of ours');
      return 'give up';
    }
    try {
      const { messageId } = facts;
      await deliver({ ...parsed, messageId, traceparent: traceparentOf(message) });
      return 'done';
    } catch (error) {
      if (error instanceof HopelessMessage) {
        count('errand_messages_delivered_total', { result: 'refused' });
        logger.error({ ...facts, cause: error.message }, 'gave up on a message');
        return 'give up';
      }
      count('errand_messages_delivered_total', { result: 'returned' });
      const { taskId } = parsed;
      logger.error({ ...facts, taskId, err: error }, 'returned a message to the queue');
      await delay(RETURN_AFTER_MS, undefined, { signal: paused.signal }).catch(() => {});
      return 'again';
    }
  }

  return {
    take,
    pause: () => paused.abort(),
    giveBack() {
      for (const delivery of waiting.splice(0)) conclude(delivery, 'again');
    },
    async idle() {
      await Promise.all(working.values());
    },
  };
}

/** Over a lost link nothing can be said: the broker delivers the message again by itself. */
function conclude({ link, message: { deliveryTag } }: Delivery, verdict: Verdict): void {
  if (link.lost.aborted || !link.channel.active) return;
  if (verdict === 'done') link.channel.basicAck({ deliveryTag });
  else link.channel.basicNack({ deliveryTag, requeue: verdict === 'again' });
}
