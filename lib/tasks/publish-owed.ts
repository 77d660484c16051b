import type { Sql } from '../db/connection.ts';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';
import { count } from '../observability/metrics.ts';
import { MAX_DELAY_SECONDS, type OutgoingMessage, type TaskQueue } from '../queue/task-queue.ts';
import { deletePublished, type OwedMessage, returnOwedMessages } from './outbox.ts';

export interface PublishDeps {
  readonly sql: Sql;
  readonly queue: TaskQueue;
  readonly logger: Logger;
}

/**
 * Publishes messages whose outbox rows are committed, and forgets the rows. Never fails: what
 * cannot be published now stays in the outbox, where the relay finds it soon. So does what is due
 * later than the queue can delay it.
 */
export async function publishOwed(
  { sql, queue, logger }: PublishDeps,
  owed: readonly OwedMessage[],
): Promise<void> {
  const now = owed.filter(({ delaySeconds }) => delaySeconds <= MAX_DELAY_SECONDS);
  try {
    await publishAndForget({ sql, queue }, now);
  } catch (error) {
    logger.warn(
      { taskIds: now.map(({ taskId }) => taskId), ...inOneLine(error) },
      'left to the relay',
    );
    // Nobody is at these any more. Where the database is away as well, the relay waits for longer.
    const ids = now.map(({ id }) => id);
    await returnOwedMessages(sql, ids).catch(() => {});
  }
}

/**
 * A crash between publishing and forgetting publishes a message twice: the claim makes that
 * harmless. @throws QueueUnavailable
 */
export async function publishAndForget(
  { sql, queue }: Omit<PublishDeps, 'logger'>,
  owed: readonly OwedMessage[],
): Promise<void> {
  if (owed.length === 0) return;
  try {
    await queue.publish(owed.map(toMessage));
  } catch (error) {
    count('errand_messages_published_total', { result: 'failed' }, owed.length);
    throw error;
  }
  count('errand_messages_published_total', { result: 'stored' }, owed.length);
  await deletePublished(
    sql,
    owed.map(({ id }) => id),
  );
}

function toMessage({ taskId, tenant, traceparent, delaySeconds }: OwedMessage): OutgoingMessage {
  return {
    taskId,
    group: tenant,
    traceparent,
    delaySeconds: Math.min(Math.max(0, delaySeconds), MAX_DELAY_SECONDS),
  };
}
