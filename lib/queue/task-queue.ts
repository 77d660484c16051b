import { z } from 'zod';
import type { TaskId } from '../tasks/task.ts';

/** What travels through the queue: a reference. The truth about the task stays in Postgres. */
export const TaskMessage = z.strictObject({
  taskId: z.uuid().transform((id) => id as TaskId),
});
export type TaskMessage = z.infer<typeof TaskMessage>;

/** Counts are the broker's own, and approximate where the broker's are (SQS). */
export interface QueueDepth {
  readonly ready: number;
  readonly inFlight: number;
  readonly delayed: number;
}

/** Carries task ids to workers: at least once, in no promised order. */
export interface TaskQueue {
  /** Resolves once the broker has stored every message. @throws QueueUnavailable */
  publish(messages: readonly TaskMessage[]): Promise<void>;
  /** @throws QueueUnavailable */
  depth(): Promise<QueueDepth>;
  close(): Promise<void>;
}

/** The broker cannot be reached or did not store the message. Trying again later is right. */
export class QueueUnavailable extends Error {
  override readonly name = 'QueueUnavailable';
}
