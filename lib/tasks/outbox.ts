import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { MAX_DELAY_SECONDS } from '../queue/task-queue.ts';
import type { TaskId } from './task.ts';

/** A message that is owed to the queue. */
export interface OwedMessage {
  readonly id: number;
  readonly taskId: TaskId;
  readonly tenant: Tenant;
  /** Of what created the task, as in the W3C's trace context; null without tracing. */
  readonly traceparent: string | null;
  /** How long it is to stay out of sight from now on; 0 or less: not at all. */
  readonly delaySeconds: number;
}

/** Whoever writes a row publishes it within this time; the relay may take it from then on. */
const PUBLISH_GRACE_SECONDS = 5;

/** How long a relay has for publishing what it took, before another relay takes it again. */
export const RELAY_SECONDS = 30;

/** How soon a message is tried again that the broker did not take. */
const RETRY_SECONDS = 1;

/** When the relay may take a message: after the grace, and once the queue can delay the rest. */
export function relayAt(sql: Sql, dueAt: ReturnType<Sql>) {
  return sql`greatest(now() + make_interval(secs => ${PUBLISH_GRACE_SECONDS}),
                      ${dueAt} - make_interval(secs => ${MAX_DELAY_SECONDS}))`;
}

/** Takes the messages that are due. Relays may run at once: each row goes to one of them. */
export async function takeOwedMessages(sql: Sql, limit: number): Promise<OwedMessage[]> {
  // A common table expression, because a subquery may be run again for each row, past its limit.
  return sql<OwedMessage[]>`/* takeOwedMessages */
    with due as (
      select id, task_id from errand.outbox
       where relay_at <= now()
       order by relay_at
       limit ${limit}
         for update skip locked
    )
    update errand.outbox o
       set relay_at = now() + make_interval(secs => ${RELAY_SECONDS})
      from due join errand.tasks t on t.id = due.task_id
     where o.id = due.id
    returning o.id, o.task_id as "taskId", t.tenant, t.traceparent,
              extract(epoch from due_at - now())::float8 as "delaySeconds"`;
}

/** Leaves messages that could not be published to the relay that runs next but soon. */
export async function returnOwedMessages(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql`/* returnOwedMessages */
    update errand.outbox set relay_at = now() + make_interval(secs => ${RETRY_SECONDS})
     where id in ${sql(ids)}`;
}

/**
 * Forgets messages that the broker has stored. It does not wait for the disk, which is a third of
 * what the outbox costs: a row that a crash brings back is a message sent twice, no more.
 */
export async function deletePublished(sql: Sql, ids: readonly number[]): Promise<void> {
  await sql`/* deletePublished */
    delete from errand.outbox
     where id in ${sql(ids)} and set_config('synchronous_commit', 'off', true) is not null`;
}
