import type { Sql } from '../db/connection.ts';
import type { TaskId } from './task.ts';

/** A message that is owed to the queue. */
export interface OwedMessage {
  readonly id: number;
  readonly taskId: TaskId;
}

/** How long a relay has for publishing what it took, before another relay takes it again. */
const RELAY_SECONDS = 30;

/** Takes the messages that are due. Relays may run at once: each row goes to one of them. */
export async function takeOwedMessages(sql: Sql, limit: number): Promise<OwedMessage[]> {
  return sql<OwedMessage[]>`
    update errand.outbox
       set relay_at = now() + make_interval(secs => ${RELAY_SECONDS})
     where id in (select id from errand.outbox
                   where relay_at <= now()
                   order by relay_at
                   limit ${limit}
                     for update skip locked)
    returning id, task_id as "taskId"`;
}

/** Forgets messages that the broker has stored. */
export async function deletePublished(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql`delete from errand.outbox where id in ${sql(ids)}`;
}
