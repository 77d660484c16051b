import { QueueUnavailable } from './task-queue.ts';

/** What a call of the broker answers. @throws QueueUnavailable with the message, for any error */
export async function unavailableOnError<T>(message: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw new QueueUnavailable(message, { cause: error });
  }
}
