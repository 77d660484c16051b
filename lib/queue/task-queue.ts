import * as z from 'zod';
import type { TaskId } from '../tasks/task.ts';

/** What travels through the queue: a reference. The truth about the task stays in Postgres. */
export const TaskMessage = z.strictObject({
  taskId: z.uuid().transform((id) => id as TaskId),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

/** A message to publish, and how long it is to stay out of sight. */
export interface OutgoingMessage extends TaskMessage {
  /** 0 to MAX_DELAY_SECONDS; a fraction is rounded up. */
  readonly delaySeconds: number;
  /** Whose message it is. A broker that can sees to it that no group waits for another's backlog. */
  readonly group?: string;
  /** Of what created the task, as in the W3C's trace context. It travels beside the body. */
  readonly traceparent?: string | null;
}

/** The name under which it travels. */
export const TRACEPARENT = 'traceparent';

/** A message as a worker gets it. */
export interface DeliveredMessage extends TaskMessage {
  /** The broker's. */
  readonly messageId: string;
  readonly traceparent: string | undefined;
}

/** What is sent of a message. */
export function toBody({ taskId }: TaskMessage): string {
  return JSON.stringify({ taskId });
}

/** Undefined for what is no message of ours. */
export function parseBody(body: string): TaskMessage | undefined {
  try {
    return TaskMessage.parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** The longest delay that every broker here offers: SQS's `DelaySeconds`. */
export const MAX_DELAY_SECONDS = 900;

/** Counts are the broker's own, and approximate where the broker's are (SQS). */
export interface QueueDepth {
  readonly ready: number;
  /** Null where the broker does not tell (RabbitMQ over AMQP). */
  readonly inFlight: number | null;
  readonly delayed: number;
}

/** A message that the broker gave up on. */
export interface DeadLetter {
  readonly id: string;
  /** As it was sent; perhaps not a task message at all. */
  readonly body: string;
  readonly receiveCount: number;
  readonly sentAt: Date;
}

/** Picks those that are meant out of some dead letters. Called for a few at a time. */
export type PickLetters = (letters: readonly DeadLetter[]) => Promise<readonly DeadLetter[]>;

/** Carries task ids to workers: at least once, in no promised order. */
export interface TaskQueue {
  /** Resolves once the broker has stored every message. @throws QueueUnavailable */
  publish(messages: readonly OutgoingMessage[]): Promise<void>;
  /** @throws QueueUnavailable */
  depth(): Promise<QueueDepth>;
  /** How many messages the broker gave up on. @throws QueueUnavailable */
  countDeadLetters(): Promise<number>;
  /**
   * Up to `limit` of the messages that the broker gave up on and `pick` picks. They stay there.
   * @throws QueueUnavailable
   */
  deadLetters(limit: number, pick: PickLetters): Promise<DeadLetter[]>;
  /**
   * Sends the dead letters that `pick` picks back to the queue, or of them the one with `id`, and
   * returns how many. The others stay. A crash in between leaves a letter in both places, never in
   * neither. @throws QueueUnavailable
   */
  redrive(pick: PickLetters, id?: string): Promise<number>;
  close(): Promise<void>;
}

/** The broker cannot be reached or did not store the message. Trying again later is right. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable';
}

/** Nothing would come of another delivery. For adapters that can give a message up at once. */
export class HopelessMessage extends Error {
  override readonly name = 'HopelessMessage';
}
