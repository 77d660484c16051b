import type { Sql } from '../db/connection.ts';
import type { Logger } from '../observability/logger.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { deletePublished, type OwedMessage } from './outbox.ts';

export interface PublishDeps {
  readonly sql: Sql;
  readonly queue: TaskQueue;
  readonly logger: Logger;
}

/**
 * Publishes messages whose outbox rows are committed, and forgets the rows. Never fails: what
 * cannot be published now stays in the outbox, where the relay finds it.
 */
export async function publishOwed(
  { sql, queue, logger }: PublishDeps,
  owed: readonly OwedMessage[],
): Promise<void> {
  if (owed.length === 0) return;
  try {
    await queue.publish(owed.map(({ taskId }) => ({ taskId })));
    await deletePublished(
      sql,
      owed.map(({ id }) => id),
    );
  } catch (error) {
    logger.warn({ taskIds: owed.map(({ taskId }) => taskId), err: error }, 'left to the relay');
  }
}
