import type { Sql } from '../db/connection.ts';
import { type OwedMessage, relayAt } from './outbox.ts';
import type { NewTask, Task, TaskId, TaskSummary, Tenant } from './task.ts';
import { type OutputRow, summaryColumns, type TaskRow, toSummary, toTask } from './task-rows.ts';

/** A queued task that is not taken up within this time has perhaps lost its message. */
export const NUDGE_SECONDS = 30;

/** Stores a task and the message that it owes to the queue, both or neither. */
export async function insertTask(
  sql: Sql,
  id: TaskId,
  tenant: Tenant,
  task: NewTask,
): Promise<{ task: TaskSummary; owed: OwedMessage }> {
  const { program, stdin, env, timeoutSeconds, memoryMb, limits, labels } = task;
  const [row] = await sql<[TaskRow & { outboxId: number; delaySeconds: number }]>`
    with due as (
      select coalesce(${task.runAt ?? null}::timestamptz,
                      now() + make_interval(secs => ${task.delaySeconds})) as at
    ), t as (
      insert into errand.tasks
             (id, tenant, command, argv, stdin, env, timeout_seconds, memory_mb, limits, labels,
              max_attempts, attempts_left, retry_delay_seconds, on_worker_lost, run_at, nudge_at)
      select ${id}, ${tenant},
             ${program.kind === 'shell' ? program.command : null},
             ${program.kind === 'argv' ? [...program.argv] : null}::text[],
             ${stdin}, ${sql.json(env)}, ${timeoutSeconds}, ${memoryMb}, ${sql.json(limits)},
             ${sql.json(labels)},
             ${task.maxAttempts}, ${task.maxAttempts}, ${task.retryDelaySeconds},
             ${task.onWorkerLost}, at, at + make_interval(secs => ${NUDGE_SECONDS})
        from due
      returning *
    ), owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, run_at, ${relayAt(sql, sql`run_at`)} from t
      returning id, extract(epoch from due_at - now())::float8 as delay
    )
    select ${summaryColumns(sql)}, owed.id as "outboxId", owed.delay as "delaySeconds"
      from t left join errand.attempts a on false, owed`;
  const { outboxId, delaySeconds } = row;
  return { task: toSummary(row), owed: { id: outboxId, taskId: id, delaySeconds } };
}

/** One task of a tenant with its attempts. */
export async function findTask(sql: Sql, tenant: Tenant, id: TaskId): Promise<Task | undefined> {
  // One statement, so that the task and its attempts are of the same moment.
  const rows = await sql<OutputRow[]>`
    select ${summaryColumns(sql)},
           case when a.number = t.attempt then a.stdout end as stdout,
           case when a.number = t.attempt then a.stderr end as stderr,
           a.stdout_bytes as "stdoutBytes", a.stderr_bytes as "stderrBytes"
      from errand.tasks t left join errand.attempts a on a.task_id = t.id
     where t.id = ${id} and t.tenant = ${tenant}
     order by a.number`;
  return toTask(rows);
}

export interface Page {
  readonly limit: number;
  /** The last task of the page before. */
  readonly after?: TaskId;
}

/** Tasks of a tenant, newest first: their ids are in order of time (UUIDv7). */
export async function listTasks(
  sql: Sql,
  tenant: Tenant,
  { limit, after }: Page,
): Promise<TaskSummary[]> {
  const rows = await sql<TaskRow[]>`
    select ${summaryColumns(sql)}
      from errand.tasks t
      left join errand.attempts a on a.task_id = t.id and a.number = t.attempt
     where t.tenant = ${tenant} ${after ? sql`and t.id < ${after}` : sql``}
     order by t.id desc
     limit ${limit}`;
  return rows.map(toSummary);
}

/**
 * Ends a queued task at once and asks the worker of a running one to end it; false when there is
 * neither. Against a claim, the one that comes first wins.
 */
export async function requestCancel(sql: Sql, tenant: Tenant, id: TaskId): Promise<boolean> {
  const cancelled = await sql`
    with t as (
      update errand.tasks
         set status = case when status = 'queued' then 'cancelled' else status end,
             finished_at = case when status = 'queued' then now() end,
             cancel_requested_at = coalesce(cancel_requested_at, now())
       where id = ${id} and tenant = ${tenant} and status in ('queued', 'running')
      returning id, status
    ), forgotten as (
      delete from errand.outbox where task_id in (select id from t where status = 'cancelled')
    )
    select from t`;
  return cancelled.length === 1;
}

/** Queues an ended task for one more attempt; undefined when it has not ended or is not there. */
export async function requeueEnded(
  sql: Sql,
  tenant: Tenant,
  id: TaskId,
): Promise<OwedMessage | undefined> {
  const [owed] = await sql<OwedMessage[]>`
    with t as (
      update errand.tasks
         set status = 'queued', attempts_left = 1, lost_attempts = 0, run_at = now(),
             nudge_at = now() + make_interval(secs => ${NUDGE_SECONDS}), finished_at = null,
             failure_code = null, failure_message = null, cancel_requested_at = null
       where id = ${id} and tenant = ${tenant} and finished_at is not null
      returning id
    )
    insert into errand.outbox (task_id, due_at, relay_at)
    select id, now(), ${relayAt(sql, sql`now()`)} from t
    returning id, task_id as "taskId", 0 as "delaySeconds"`;
  return owed;
}
