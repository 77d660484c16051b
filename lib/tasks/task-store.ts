import { audit } from '../access/audit-log.ts';
import type { Actor, Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { type OwedMessage, relayAt } from './outbox.ts';
import { isOfAttempt } from './output-store.ts';
import { untally } from './tally-store.ts';
import type { Task, TaskId, TaskSummary } from './task.ts';
import { type OutputRow, summaryColumns, type TaskRow, toSummary, toTask } from './task-rows.ts';

/** A queued task that is not taken up within this time has perhaps lost its message. */
export const NUDGE_SECONDS = 30;

/** One task of a tenant with its attempts. */
export async function selectTask(sql: Sql, tenant: Tenant, id: TaskId): Promise<Task | undefined> {
  // One statement, so that the task and its attempts are of the same moment.
  const rows = await sql<OutputRow[]>`/* selectTask */
    select ${summaryColumns(sql)}, output.*,
           a.stdout_bytes as "stdoutBytes", a.stderr_bytes as "stderrBytes"
      from errand.tasks t
      left join errand.attempts a on a.task_id = t.id
      left join lateral (
             select string_agg(bytes, '' order by seq) filter (where stream = 'stdout') as stdout,
                    string_agg(bytes, '' order by seq) filter (where stream = 'stderr') as stderr
               from errand.output_chunks
              where task_id = t.id and ${isOfAttempt(sql, sql`t.attempt`)}) as output
        on a.number = t.attempt
     where t.id = ${id} and t.tenant = ${tenant}
     order by a.number`;
  return toTask(rows);
}

/** Some tasks of a tenant, in the order of their ids as given; those that are gone are left out. */
export async function findSummaries(
  sql: Sql,
  tenant: Tenant,
  ids: readonly TaskId[],
): Promise<TaskSummary[]> {
  const rows = await sql<TaskRow[]>`/* findSummaries */
    select ${summaryColumns(sql)}
      from unnest(${[...ids]}::uuid[]) with ordinality as wanted (id, position)
      join errand.tasks t on t.id = wanted.id and t.tenant = ${tenant}
      left join errand.attempts a on a.task_id = t.id and a.number = t.attempt
     order by wanted.position`;
  return rows.map(toSummary);
}

/**
 * Ends a queued task at once and asks the worker of a running one to end it; answers what the task
 * is then, undefined when there is neither. Against a claim, the one that comes first wins.
 */
export async function requestCancel(
  sql: Sql,
  actor: Actor,
  id: TaskId,
): Promise<'cancelled' | 'running' | undefined> {
  const [cancelled] = await sql<{ status: 'cancelled' | 'running' }[]>`/* requestCancel */
    with t as (
      update errand.tasks
         set status = case when status = 'queued' then 'cancelled' else status end, parked_at = null,
             finished_at = case when status = 'queued' then now() end,
             cancel_requested_at = coalesce(cancel_requested_at, now())
       where id = ${id} and tenant = ${actor.tenant} and status in ('queued', 'running')
      returning id, status
    ), forgotten as (
      delete from errand.outbox where task_id in (select id from t where status = 'cancelled')
    ), audited as (
      ${audit(sql, actor, 'task.cancel', sql`select id::text from t`)}
    )
    select status from t`;
  return cancelled?.status;
}

/** Queues an ended task for one more attempt; undefined when it has not ended or is not there. */
export async function requeueEnded(
  sql: Sql,
  actor: Actor,
  id: TaskId,
): Promise<OwedMessage | undefined> {
  const [owed] = await sql<OwedMessage[]>`/* requeueEnded */
    with ended as (
      select id, tenant, status, finished_at from errand.tasks
       where id = ${id} and tenant = ${actor.tenant} and finished_at is not null
         for no key update
    ), t as (
      update errand.tasks t
         set status = 'queued', attempts_left = 1, lost_attempts = 0, run_at = now(),
             nudge_at = now() + make_interval(secs => ${NUDGE_SECONDS}), finished_at = null,
             failure_code = null, failure_message = null, cancel_requested_at = null
        from ended where t.id = ended.id
      returning t.id, t.traceparent
    ), untallied as (
      ${untally(sql, sql`select tenant, status, finished_at from ended`)}
    ), audited as (
      ${audit(sql, actor, 'task.retry', sql`select id::text from t`)}
    )
    insert into errand.outbox (task_id, due_at, relay_at)
    select id, now(), ${relayAt(sql, sql`now()`)} from t
    returning id, task_id as "taskId", ${actor.tenant} as tenant,
              (select traceparent from t) as traceparent, 0 as "delaySeconds"`;
  return owed;
}
