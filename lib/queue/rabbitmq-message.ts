import { createHash } from 'node:crypto';
import type { SyncMessage } from 'rabbitmq-client';
import { TRACEPARENT } from './task-queue.ts';

/** A message as the broker hands it over: ours, or anything else that somebody sent. */
export type RabbitMessage = Pick<
  SyncMessage,
  'body' | 'messageId' | 'headers' | 'timestamp' | 'deliveryTag'
>;

/** The client has parsed what says of itself that it is JSON. */
export function bodyOf({ body }: RabbitMessage): string {
  if (typeof body === 'string') return body;
  return Buffer.isBuffer(body) ? body.toString() : JSON.stringify(body);
}

/** Ours have one; for others it must be the same whenever somebody looks. */
export function idOf(message: RabbitMessage): string {
  return (
    message.messageId || createHash('sha256').update(bodyOf(message)).digest('hex').slice(0, 32)
  );
}

export function traceparentOf({ headers }: RabbitMessage): string | undefined {
  const value: unknown = headers?.[TRACEPARENT];
  return typeof value === 'string' ? value : undefined;
}

/** Deliveries so far, this one included; only quorum queues count them. */
export function receiveCountOf({ headers }: RabbitMessage): number {
  return Number(headers?.['x-delivery-count'] ?? 0) + 1;
}
