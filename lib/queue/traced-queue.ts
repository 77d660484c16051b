import { inLogContext } from '../observability/log-context.ts';
import { inSpan, type SpanOptions, traceparent } from '../observability/tracing.ts';
import type { DeliveredMessage, OutgoingMessage, TaskQueue } from './task-queue.ts';

// By https://opentelemetry.io/docs/specs/semconv/messaging/messaging-spans/.

/** A queue as traces call it. */
export interface QueueName {
  readonly system: 'aws_sqs' | 'rabbitmq';
  readonly destination: string;
}

/** The same queue, with a span for what it publishes. */
export function tracePublishing(queue: TaskQueue, name: QueueName): TaskQueue {
  return {
    ...queue,
    publish: (messages) =>
      traceparent() || messages.some((message) => message.traceparent)
        ? inSpan(sending(name, messages), () => queue.publish(messages))
        : queue.publish(messages),
  };
}

/** What a request or an attempt sends is a part of it. The relay sends for many, and links to them. */
function sending(name: QueueName, messages: readonly OutgoingMessage[]): SpanOptions {
  const traces = messages.flatMap((message) => message.traceparent ?? []);
  const [only, ...others] = traces;
  const ofOneTask = traceparent() === undefined && others.length === 0;
  return {
    name: `send ${name.destination}`,
    kind: 'producer',
    attributes: {
      ...attributesOf(name, 'send'),
      'messaging.batch.message_count': messages.length,
    },
    ...(ofOneTask ? { causedBy: only } : traceparent() === undefined && { links: traces }),
  };
}

/**
 * Works on a message, in a span that is a child of the request which created the task, for every
 * attempt. The conventions leave it at links where a span is about several messages; this one is
 * about one, and who looks at a request wants to see in one trace what became of it.
 */
export function inDelivery<T>(
  name: QueueName,
  { taskId, messageId, traceparent }: DeliveredMessage,
  work: () => Promise<T>,
): Promise<T> {
  const options: SpanOptions = {
    name: `process ${name.destination}`,
    kind: 'consumer',
    causedBy: traceparent,
    attributes: {
      ...attributesOf(name, 'process'),
      'messaging.message.id': messageId,
      'errand.task.id': taskId,
    },
  };
  return inLogContext({ taskId }, () => inSpan(options, work));
}

function attributesOf({ system, destination }: QueueName, operation: 'send' | 'process') {
  return {
    'messaging.system': system,
    'messaging.destination.name': destination,
    'messaging.operation.type': operation,
    'messaging.operation.name': operation,
  };
}
