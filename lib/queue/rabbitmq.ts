import { randomUUID } from 'node:crypto';
import { listLetters, redriveLetters } from './rabbitmq-dead-letters.ts';
import {
  type Mail,
  mailTo,
  openPublisher,
  type Publisher,
  type RabbitSettings,
  send,
} from './rabbitmq-publisher.ts';
import { delayedRoute, rabbitNames, topologyOf } from './rabbitmq-topology.ts';
import {
  type OutgoingMessage,
  type QueueDepth,
  QueueUnavailable,
  type TaskQueue,
} from './task-queue.ts';

/** Publishes through RabbitMQ, whose queues are made when it is first spoken to. */
export function openRabbitQueue(settings: RabbitSettings): TaskQueue {
  const { url, queue } = settings;
  const topology = topologyOf(queue);
  const open = () => openPublisher(url, topology);
  const shared = sharedPublisher(open);

  return {
    publish: (messages) =>
      unavailableOnError('The message was not stored.', async () => {
        if (messages.length === 0) return;
        await send(
          await shared.get(),
          messages.map((message) => mailOf(queue, message)),
        );
      }),
    depth: () =>
      unavailableOnError('The queue did not answer.', async () =>
        readDepth(await shared.get(), queue),
      ),
    deadLetters: (limit) =>
      unavailableOnError('The dead-letter queue did not answer.', () =>
        withOwn(open, (publisher) => listLetters(publisher, queue, limit)),
      ),
    redrive: (id) =>
      unavailableOnError('The dead letters were not all sent back.', () =>
        withOwn(open, (publisher) => redriveLetters(publisher, queue, id)),
      ),
    close: shared.close,
  };
}

/** One publisher for all; a new one for whoever comes after it was lost. */
function sharedPublisher(open: () => Promise<Publisher>) {
  let current: Promise<Publisher> | undefined;
  let closed = false;
  return {
    async get(): Promise<Publisher> {
      if (closed) throw new Error('The queue is closed.');
      if (current) return current;
      const opening = open();
      const forget = () => {
        if (current === opening) current = undefined;
      };
      opening.then(({ lost }) => {
        lost.addEventListener('abort', forget, { once: true });
        if (lost.aborted) forget();
      }, forget);
      current = opening;
      return opening;
    },
    async close() {
      closed = true;
      const publisher = await current?.catch(() => undefined);
      await publisher?.close();
    },
  };
}

/** Letters that are looked at are held by a connection, and are free again when that ends. */
async function withOwn<T>(
  open: () => Promise<Publisher>,
  use: (publisher: Publisher) => Promise<T>,
): Promise<T> {
  const publisher = await open();
  try {
    return await use(publisher);
  } finally {
    await publisher.close();
  }
}

async function readDepth({ channel, answer }: Publisher, queue: string): Promise<QueueDepth> {
  const names = rabbitNames(queue);
  const count = async (name: string) => {
    const { messageCount } = await channel.queueDeclare({ queue: name, passive: true });
    return messageCount;
  };
  const [ready = 0, ...delayed] = await answer(
    Promise.all([names.queue, ...names.delays].map(count)),
  );
  return { ready, inFlight: null, delayed: delayed.reduce((sum, some) => sum + some, 0) };
}

function mailOf(queue: string, { delaySeconds, ...message }: OutgoingMessage): Mail {
  const route = delaySeconds > 0 ? delayedRoute(queue, delaySeconds) : { routingKey: queue };
  return mailTo(route, JSON.stringify(message), randomUUID());
}

async function unavailableOnError<T>(message: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw new QueueUnavailable(message, { cause: error });
  }
}
