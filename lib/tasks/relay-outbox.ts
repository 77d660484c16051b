import type { Sql } from '../db/connection.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { deletePublished, takeOwedMessages } from './outbox.ts';

/** Messages that one statement takes and one call publishes. */
const BATCH = 500;

export type RelayOutbox = () => Promise<number>;

/**
 * Publishes what a crash, or a broker that was away, left unsent; returns how many messages.
 * A crash between publishing and deleting publishes them twice, which the claim makes harmless.
 * @throws QueueUnavailable
 */
export function makeRelayOutbox({ sql, queue }: { sql: Sql; queue: TaskQueue }): RelayOutbox {
  return async () => {
    let relayed = 0;
    for (;;) {
      const owed = await takeOwedMessages(sql, BATCH);
      if (owed.length === 0) return relayed;
      await queue.publish(owed.map(({ taskId }) => ({ taskId })));
      await deletePublished(
        sql,
        owed.map(({ id }) => id),
      );
      relayed += owed.length;
      if (owed.length < BATCH) return relayed;
    }
  };
}
