import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { type OwedMessage, relayAt } from './outbox.ts';
import { untally } from './tally-store.ts';
import type { TaskId } from './task.ts';
import { NUDGE_SECONDS } from './task-store.ts';

/** How often a task runs again because its worker vanished, before it fails. */
const MAX_RESCUES = 3;

/** The longest that a task which may have lost its message is left alone. */
const MAX_NUDGE_SECONDS = 900;

/** Attempts that their worker does not bring to an end, and the messages owed for them now. */
export interface Abandoned {
  /** What became of the task of each. */
  readonly fates: readonly Fate[];
  readonly owed: readonly OwedMessage[];
}

export interface Fate {
  readonly status: 'queued' | 'failed' | 'cancelled';
  /** Of a failure. */
  readonly cause: string | null;
}

/**
 * Ends attempts whose lease ran out. Rescuers may run at once: each attempt goes to one of them.
 * What becomes of the tasks is told at `abandon`.
 */
export async function abandonExpired(sql: Sql, limit: number): Promise<Abandoned> {
  return abandon(sql, {
    which: sql`lease_expires_at < now() order by lease_expires_at limit ${limit}
               for no key update skip locked`,
    reason: 'The worker stopped before the command ended.',
    counts: true,
  });
}

/**
 * Gives an attempt back whose worker shuts down. That is nobody's fault, so it does not count. Waits
 * for a lock on the row (that of our own last renewal, say): nobody comes by a second time.
 */
export async function abandonHeld(
  sql: Sql,
  { taskId, attempt }: { taskId: TaskId; attempt: number },
): Promise<Abandoned> {
  return abandon(sql, {
    which: sql`id = ${taskId} and attempt = ${attempt} for no key update`,
    reason: 'The worker shut down before the command ended.',
    counts: false,
  });
}

interface AbandonedRow extends Fate {
  readonly taskId: TaskId;
  readonly tenant: Tenant;
  readonly traceparent: string | null;
  readonly outboxId: number | null;
}

/**
 * The attempts end as `worker_lost`, unless their worker could still say that the sandbox broke.
 * Their tasks are, in this order: cancelled where that was asked for; failed where the command must
 * not start twice, or was lost too often; else queued again.
 */
async function abandon(
  sql: Sql,
  { which, reason, counts }: { which: ReturnType<Sql>; reason: string; counts: boolean },
): Promise<Abandoned> {
  const rows = await sql<AbandonedRow[]>`/* abandon */
    with lost as (
      select id, tenant, traceparent, attempt, lost_attempts + ${counts ? 1 : 0} as losses,
             case when cancel_requested_at is not null then 'cancelled'
                  when on_worker_lost = 'fail' then 'failed'
                  when lost_attempts + ${counts ? 1 : 0} > ${MAX_RESCUES} then 'failed'
                  else 'queued' end as fate,
             on_worker_lost,
             (select failure_message from errand.attempts
               where task_id = tasks.id and number = tasks.attempt
                 and failure_code = 'sandbox_error') as trouble
        from errand.tasks
       where status = 'running' and ${which}
    ), judged as (
      select *,
             case when fate <> 'failed' then null
                  when trouble is not null then 'sandbox_error'
                  when on_worker_lost = 'fail' then 'worker_lost'
                  else 'attempts_exhausted' end as cause
        from lost
    ), ended as (
      update errand.attempts a
         set status = 'failed', finished_at = now(), failure_code = 'worker_lost',
             failure_message = ${reason}
        from lost
       where a.task_id = lost.id and a.number = lost.attempt and a.status = 'running'
    ), requeued as (
      update errand.tasks t
         set status = fate,
             lost_attempts = losses, lease_expires_at = null, slot = null,
             nudge_at = now() + make_interval(secs => ${NUDGE_SECONDS}),
             finished_at = case when fate = 'queued' then null else now() end,
             failure_code = cause,
             failure_message = case cause when 'sandbox_error' then trouble
                                          when 'worker_lost' then ${reason}
                                          when 'attempts_exhausted'
                                            then 'Its worker stopped ' || losses || ' times.' end
        from judged
       where t.id = judged.id
    ), owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, now(), ${relayAt(sql, sql`now()`)} from lost where fate = 'queued'
      returning id, task_id
    )
    select judged.id as "taskId", tenant, traceparent, fate as status, cause,
           owed.id as "outboxId"
      from judged left join owed on owed.task_id = judged.id`;
  return {
    fates: rows,
    owed: rows.flatMap(({ taskId, tenant, traceparent, outboxId: id }) =>
      id === null ? [] : [{ id, taskId, tenant, traceparent, delaySeconds: 0 }],
    ),
  };
}

/** Tells whether a task has waited so long that its message may be lost. */
export async function anyOverdue(sql: Sql): Promise<boolean> {
  const [row] = await sql<[{ overdue: boolean }]>`/* anyOverdue */
    select exists (select from errand.tasks where status = 'queued' and nudge_at < now()) as overdue`;
  return row.overdue;
}

/** How many tasks should have a message in the queue now; counts to `limit` at most. */
export async function countDue(sql: Sql, limit: number): Promise<number> {
  const [row] = await sql<[{ due: number }]>`/* countDue */
    select count(*) as due from (
      select from errand.tasks t
       where status = 'queued' and run_at <= now() and parked_at is null
         and not ${isOwedNow(sql)}
       limit ${limit}) as counted`;
  return row.due;
}

/**
 * Owes a message again for tasks that have waited long, the oldest first. Each is left alone for as
 * long as it has waited already, so that a task that simply waits its turn gets few duplicates.
 */
export async function oweForgotten(sql: Sql, limit: number): Promise<OwedMessage[]> {
  return sql<OwedMessage[]>`/* oweForgotten */
    with overdue as (
      select id from errand.tasks t
       where status = 'queued' and nudge_at < now() and not ${isOwedNow(sql)}
       order by nudge_at
       limit ${limit}
         for no key update skip locked
    ), forgotten as (
      update errand.tasks t
         set nudge_at = now() + least(greatest(now() - run_at,
                                               make_interval(secs => ${NUDGE_SECONDS})),
                                      make_interval(secs => ${MAX_NUDGE_SECONDS}))
        from overdue where t.id = overdue.id
      returning t.id, t.tenant, t.traceparent
    ), owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, now(), ${relayAt(sql, sql`now()`)} from forgotten
      returning id, task_id
    )
    select owed.id, task_id as "taskId", tenant, traceparent, 0::float8 as "delaySeconds"
      from owed join forgotten on forgotten.id = task_id`;
}

/**
 * The relay is about to publish a message for task `t`. A row that is due later does not count: it
 * may be of a time before the task was cancelled and retried.
 */
function isOwedNow(sql: Sql) {
  return sql`exists (select from errand.outbox o where o.task_id = t.id and o.due_at <= now())`;
}

/** Deletes tasks that ended long ago, with their attempts; returns how many. */
export async function deleteEnded(sql: Sql, days: number, limit: number): Promise<number> {
  // A common table expression, because a subquery may be run again for each row, past its limit.
  const deleted = await sql`/* deleteEnded */
    with old as (
      select id, tenant, status, finished_at from errand.tasks
       where finished_at < now() - make_interval(days => ${days})
       order by finished_at
       limit ${limit}
         for update skip locked
    ), untallied as (
      ${untally(sql, sql`select tenant, status, finished_at from old`)}
    )
    delete from errand.tasks t using old where t.id = old.id`;
  return deleted.count;
}
