import { setTimeout as delay } from 'node:timers/promises';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';
import { startDeliveries } from './rabbitmq-deliveries.ts';
import { type Link, openLink } from './rabbitmq-link.ts';
import type { RabbitSettings } from './rabbitmq-publisher.ts';
import { QueueMissing, topologyOf } from './rabbitmq-topology.ts';
import { brokerAt, rabbitTrouble } from './rabbitmq-trouble.ts';
import type { DeliveredMessage } from './task-queue.ts';

export interface ConsumerOptions {
  readonly settings: RabbitSettings;
  /** Messages that are worked on at once: the prefetch. */
  readonly concurrency: number;
  /** Resolves when the message is done with; rejects when it is to be delivered again. */
  readonly deliver: (message: DeliveredMessage) => Promise<void>;
  readonly logger: Logger;
  /** How often what was deleted by hand is made again; for tests. */
  readonly repairEveryMs?: number;
}

export interface Consumer {
  /** Resolves when messages are taken for the first time. */
  readonly ready: Promise<void>;
  /** Whether messages are taken right now. */
  readonly connected: boolean;
  /** Takes no further message, and waits for those that are being worked on. */
  stop(): Promise<void>;
}

const FIRST_RETRY_MS = 100;
const LONGEST_RETRY_MS = 3000;
/** It takes 44 calls, some 30 ms. */
const REPAIR_EVERY_MS = 60_000;

/** Takes messages from RabbitMQ until it is stopped, and connects again whenever that is needed. */
export function consumeRabbit(options: ConsumerOptions): Consumer {
  const { settings, concurrency, logger, repairEveryMs = REPAIR_EVERY_MS } = options;
  const topology = topologyOf(settings.queue);
  const deliveries = startDeliveries(options);
  const stopping = new AbortController();
  const stopped = aborted(stopping.signal);
  const ready = Promise.withResolvers<void>();
  const report = reportConnection(logger, brokerAt(settings.url));
  let connected = false;

  async function consume(): Promise<Link | undefined> {
    let tries = 0;
    while (!stopping.signal.aborted) {
      try {
        const link = await openLink(settings.url, topology, async (channel) => {
          await channel.basicQos({ prefetchCount: concurrency });
        });
        const consumerTag = await subscribe(link);
        tries = 0;
        ready.resolve();
        report(undefined);
        connected = true;
        void keepInRepair(link);
        await Promise.race([stopped, aborted(link.lost)]);
        connected = false;
        if (!link.lost.aborted) return await unsubscribe(link, consumerTag);
        report(link.lost.reason);
      } catch (error) {
        report(error);
      }
      const most = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries++);
      // Drawn at random, so that a broker that comes back does not meet all workers at once.
      await delay(most * (0.5 + Math.random() / 2), undefined, { signal: stopping.signal }).catch(
        () => {},
      );
    }
    return undefined;
  }

  async function subscribe(link: Link): Promise<string> {
    const { channel } = link;
    // The queue was deleted, or its node stopped.
    channel.once('basic.cancel', () =>
      link.drop(new QueueMissing('RabbitMQ cancelled the consumer.')),
    );
    const { consumerTag } = await link.answer(
      channel.basicConsume({ queue: settings.queue }, (message) =>
        deliveries.take({ link, message }),
      ),
    );
    return consumerTag;
  }

  /**
   * Nobody is told of an exchange or a binding that was deleted: messages would stay behind it, in a
   * queue of delayed ones, and their tasks start when they are found to be overdue.
   */
  async function keepInRepair(link: Link): Promise<void> {
    const signal = AbortSignal.any([stopping.signal, link.lost]);
    try {
      for (;;) {
        await delay(repairEveryMs, undefined, { signal });
        await topology.repair(link);
      }
    } catch (error) {
      if (!signal.aborted) link.drop(error);
    }
  }

  /** Keeps the link for what is to be acknowledged. */
  async function unsubscribe(link: Link, consumerTag: string): Promise<Link> {
    await link.answer(link.channel.basicCancel({ consumerTag })).catch(() => {});
    return link;
  }

  const consuming = consume();
  return {
    ready: ready.promise,
    get connected() {
      return connected;
    },
    async stop() {
      deliveries.pause();
      stopping.abort();
      const link = await consuming;
      // Only now: before the broker has cancelled the consumer, it would deliver them right again.
      deliveries.giveBack();
      await deliveries.idle();
      await link?.close();
    },
  };
}

/** Tells of a broker that is away once, and once that it is there. A start waits without a warning. */
function reportConnection(logger: Logger, broker: string): (trouble: unknown) => void {
  let connectedBefore = false;
  let told: string | undefined;
  return (trouble) => {
    if (trouble === undefined) {
      logger.info(told === undefined ? 'takes messages' : 'takes messages again');
      connectedBefore = true;
      told = undefined;
      return;
    }
    const { remedy, isFinal } = rabbitTrouble(trouble);
    const words = { broker, ...inOneLine(trouble), remedy: `${remedy} RABBITMQ_URL names it.` };
    if (words.cause === told) return;
    told = words.cause;
    if (isFinal) logger.error(words, 'RabbitMQ does not let us take messages');
    else if (connectedBefore) logger.warn(words, 'lost RabbitMQ, and connects again');
    else logger.info(words, 'waits for RabbitMQ');
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
