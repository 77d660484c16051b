import { setImmediate } from 'node:timers/promises';
import { AMQPChannelError, type Envelope } from 'rabbitmq-client';
import { type Link, openLink } from './rabbitmq-link.ts';
import { QueueMissing, type Topology } from './rabbitmq-topology.ts';
import { TRACEPARENT } from './task-queue.ts';

export interface RabbitSettings {
  /** As in amqp://user:password@host:5672/vhost, or amqps://. */
  readonly url: string;
  readonly queue: string;
}

/** A link whose channel confirms, and that knows which messages came back. */
export interface Publisher extends Link {
  /** Ids of messages that no queue took, until their sender has heard of it. */
  readonly returned: Set<string>;
}

export interface Mail {
  readonly envelope: Envelope & { readonly messageId: string };
  readonly body: string;
}

/** `mandatory`: a message that no queue takes comes back, instead of being dropped. */
export function mailTo(
  route: { readonly exchange?: string; readonly routingKey: string },
  body: string,
  messageId: string,
  traceparent?: string | null,
): Mail {
  const headers = traceparent ? { [TRACEPARENT]: traceparent } : {};
  return { envelope: { ...route, messageId, headers, durable: true, mandatory: true }, body };
}

/** @throws QueueDiffers, and whatever the connection says */
export async function openPublisher(url: string, topology: Topology): Promise<Publisher> {
  const returned = new Set<string>();
  const link = await openLink(url, topology, async (channel) => {
    channel.on('basic.return', ({ messageId = '' }) => returned.add(messageId));
    await channel.confirmSelect();
  });
  return { ...link, returned };
}

/** Resolves once the broker has stored every message. No confirm is awaited any more when it rejects. */
export async function send(publisher: Publisher, mail: readonly Mail[]): Promise<void> {
  const { channel, returned } = publisher;
  const confirms = mail.map(({ envelope, body }) => channel.basicPublish(envelope, body));
  const results = await publisher.answer(Promise.allSettled(confirms));
  const refused = results.find((result) => result.status === 'rejected');
  // It closed the channel, and the first that it refused is told why.
  if (refused?.reason instanceof AMQPChannelError) publisher.drop(refused.reason);
  // A message that no queue takes is confirmed as well. The client tells of its return in the turn
  // of the event loop after the one in which both came.
  await setImmediate();
  const unrouted = mail.filter(({ envelope }) => returned.delete(envelope.messageId));
  if (unrouted.length > 0) {
    const error = new QueueMissing(`RabbitMQ had no queue for ${unrouted.length} messages.`);
    publisher.drop(error); // The next link makes the queues that are missing.
    throw error;
  }
  if (refused) throw refused.reason;
}
