import { randomUUID } from 'node:crypto';
import { unavailableOnError } from './broker-call.ts';
import { countLetters, openRabbitDeadLetters } from './rabbitmq-dead-letters.ts';
import { OPEN_MS } from './rabbitmq-link.ts';
import {
  type Mail,
  mailTo,
  openPublisher,
  type Publisher,
  type RabbitSettings,
  send,
} from './rabbitmq-publisher.ts';
import { delayedRoute, rabbitNames, topologyOf } from './rabbitmq-topology.ts';
import { type OutgoingMessage, type QueueDepth, type TaskQueue, toBody } from './task-queue.ts';

/** Publishes through RabbitMQ, whose queues are made when it is first spoken to. */
export function openRabbitQueue(settings: RabbitSettings): TaskQueue {
  const { url, queue } = settings;
  const topology = topologyOf(queue);
  const open = () => openPublisher(url, topology);
  const shared = sharedPublisher(open);

  const letters = openRabbitDeadLetters(queue, open);

  return {
    async publish(messages) {
      if (messages.length === 0) return;
      const mail = messages.map((message) => mailOf(queue, message));
      await unavailableOnError(
        'The message was not stored.',
        shared.use((publisher) => send(publisher, mail)),
      );
    },
    depth: () =>
      unavailableOnError(
        'The queue did not answer.',
        shared.use((publisher) => readDepth(publisher, queue)),
      ),
    countDeadLetters: () =>
      unavailableOnError(
        'The dead-letter queue did not answer.',
        shared.use((publisher) => countLetters(publisher, queue)),
      ),
    deadLetters: letters.list,
    redrive: letters.redrive,
    close: shared.close,
  };
}

/** One publisher for all; a new one for whoever comes after it was lost. */
function sharedPublisher(open: () => Promise<Publisher>) {
  let current: Promise<Publisher> | undefined;
  let closed = false;

  function get(): Promise<Publisher> {
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
  }

  return {
    async use<T>(call: (publisher: Publisher) => Promise<T>): Promise<T> {
      const publisher = await within(get(), OPEN_MS);
      publisher.refuseWhileBlocked();
      return call(publisher);
    },
    async close() {
      closed = true;
      const publisher = await current?.catch(() => undefined);
      await publisher?.close();
    },
  };
}

/** What comes later is there for the next caller. */
async function within<T>(opening: Promise<T>, mostMs: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const reject = () => late.reject(new Error(`RabbitMQ was not ready within ${mostMs} ms.`));
  const timer = setTimeout(reject, mostMs);
  return Promise.race([opening, late.promise]).finally(() => clearTimeout(timer));
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

function mailOf(queue: string, { taskId, delaySeconds, traceparent }: OutgoingMessage): Mail {
  const route = delaySeconds > 0 ? delayedRoute(queue, delaySeconds) : { routingKey: queue };
  return mailTo(route, toBody({ taskId }), randomUUID(), traceparent);
}
