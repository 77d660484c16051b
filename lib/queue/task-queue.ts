import { z } from 'zod';
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

/** Carries task ids to workers: at least once, in no promised order. */
export interface TaskQueue {
  /** Resolves once the broker has stored every message. @throws QueueUnavailable */
  publish(messages: readonly OutgoingMessage[]): Promise<void>;
  /** @throws QueueUnavailable */
  depth(): Promise<QueueDepth>;
  /** Up to `limit` messages that the broker gave up on. They stay there. @throws QueueUnavailable */
  deadLetters(limit: number): Promise<DeadLetter[]>;
  /**
   * Sends dead letters back to the queue, all of them or one by its id, and returns how many. A
   * crash in between leaves a letter in both places, never in neither. @throws QueueUnavailable
   */
  redrive(id?: string): Promise<number>;
  close(): Promise<void>;
}

/** The broker cannot be reached or did not store the message. Trying again later is right. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable';
}
