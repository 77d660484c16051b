import type { Sql } from '../db/connection.ts';
import type { Command, SandboxTier } from '../sandbox/sandbox.ts';
import type { OwedMessage } from './outbox.ts';
import type {
  AttemptResult,
  Failure,
  NewTask,
  Outputs,
  Task,
  TaskId,
  TaskStatus,
  TaskSummary,
  Tenant,
} from './task.ts';
import {
  type OutputRow,
  programOf,
  summaryColumns,
  type TaskRow,
  toSummary,
  toTask,
} from './task-rows.ts';

/** The request publishes within this time; a message that is owed longer belongs to the relay. */
const PUBLISH_GRACE_SECONDS = 5;

/** How often a task runs again because its worker vanished, before it fails. */
const MAX_RESCUES = 3;

/** Stores a task and the message that it owes to the queue, both or neither. */
export async function insertTask(
  sql: Sql,
  id: TaskId,
  tenant: Tenant,
  { program, stdin, env, timeoutSeconds, memoryMb, labels }: NewTask,
): Promise<{ task: TaskSummary; owed: OwedMessage }> {
  const [row] = await sql<[TaskRow & { outboxId: number }]>`
    with t as (
      insert into errand.tasks
             (id, tenant, command, argv, stdin, env, timeout_seconds, memory_mb, labels)
      values (${id}, ${tenant},
              ${program.kind === 'shell' ? program.command : null},
              ${program.kind === 'argv' ? [...program.argv] : null},
              ${stdin}, ${sql.json(env)}, ${timeoutSeconds}, ${memoryMb}, ${sql.json(labels)})
      returning *
    ), owed as (
      insert into errand.outbox (task_id, relay_at)
      select id, now() + make_interval(secs => ${PUBLISH_GRACE_SECONDS}) from t
      returning id
    )
    select ${summaryColumns(sql)}, owed.id as "outboxId"
      from t left join errand.attempts a on false, owed`;
  return { task: toSummary(row), owed: { id: row.outboxId, taskId: id } };
}

/** A task that is ours until its lease runs out. */
export interface Claim {
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly command: Command;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
}

type ClaimRow = Pick<TaskRow, 'command' | 'argv' | 'timeoutSeconds' | 'memoryMb'> &
  Pick<Claim, 'taskId' | 'attempt'> & { stdin: Buffer; env: Record<string, string> };

/**
 * Takes the lease on a queued task and begins its next attempt; undefined when there is none to
 * take: it has ended, another worker has it, or its lease ran out and the rescue will see to it.
 */
export async function claimTask(
  sql: Sql,
  taskId: TaskId,
  { leaseSeconds, sandboxTier }: { leaseSeconds: number; sandboxTier: SandboxTier },
): Promise<Claim | undefined> {
  const [row] = await sql<ClaimRow[]>`
    with claimed as (
      update errand.tasks
         set status = 'running', attempt = attempt + 1, started_at = coalesce(started_at, now()),
             lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
       where id = ${taskId} and status = 'queued'
      returning *
    ), begun as (
      insert into errand.attempts (task_id, number, sandbox_tier)
      select id, attempt, ${sandboxTier} from claimed
    )
    select id as "taskId", attempt, command, argv, stdin, env,
           timeout_seconds as "timeoutSeconds", memory_mb as "memoryMb"
      from claimed`;
  if (!row) return undefined;
  const { stdin, env, taskId: id, attempt, timeoutSeconds, memoryMb } = row;
  const command = { program: programOf(row), stdin, env };
  return { taskId: id, attempt, command, timeoutSeconds, memoryMb };
}

/** Keeps the lease of an attempt; false when the attempt is no longer the task's running one. */
export async function renewLease(
  sql: Sql,
  { taskId, attempt }: Claim,
  leaseSeconds: number,
): Promise<boolean> {
  const renewed = await sql`
    update errand.tasks
       set lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
     where id = ${taskId} and attempt = ${attempt} and status = 'running'
    returning id`;
  return renewed.length === 1;
}

/** What an attempt came to. */
export interface Settlement extends AttemptResult, Outputs {
  readonly status: Extract<TaskStatus, 'succeeded' | 'failed'>;
  readonly failure: Failure | null;
}

/** Records how an attempt ended; false when it was no longer the task's running one. */
export async function settleAttempt(sql: Sql, claim: Claim, end: Settlement): Promise<boolean> {
  const settled = await sql`
    with task as (
      update errand.tasks
         set status = ${end.status}, lease_expires_at = null, finished_at = now(),
             failure_code = ${end.failure?.code ?? null},
             failure_message = ${end.failure?.message ?? null}
       where id = ${claim.taskId} and attempt = ${claim.attempt} and status = 'running'
      returning id, attempt, status, finished_at, failure_code, failure_message
    )
    update errand.attempts a
       set status = task.status, finished_at = task.finished_at,
           failure_code = task.failure_code, failure_message = task.failure_message,
           exit_code = ${end.exitCode}, signal = ${end.signal},
           stdout = ${end.stdout.bytes}, stdout_bytes = ${end.stdout.totalBytes},
           stderr = ${end.stderr.bytes}, stderr_bytes = ${end.stderr.totalBytes},
           wall_ms = ${end.wallMs}, cpu_ms = ${end.cpuMs}, max_rss_bytes = ${end.maxRssBytes}
      from task
     where a.task_id = task.id and a.number = task.attempt
    returning a.number`;
  return settled.length === 1;
}

/**
 * Ends the attempts whose lease ran out. Their tasks are queued again, each with a message that it
 * owes, or have failed when that happened too often. Rescuers may run at once.
 */
export async function requeueLostTasks(
  sql: Sql,
  limit: number,
): Promise<{ lost: number; owed: OwedMessage[] }> {
  const rows = await sql<{ taskId: TaskId; outboxId: number | null }[]>`
    with lost as (
      select id, attempt from errand.tasks
       where status = 'running' and lease_expires_at < now()
       order by lease_expires_at
       limit ${limit}
         for update skip locked
    ), ended as (
      update errand.attempts a
         set status = 'failed', finished_at = now(), failure_code = 'worker_lost',
             failure_message = 'The worker stopped before the command ended.'
        from lost
       where a.task_id = lost.id and a.number = lost.attempt
    ), requeued as (
      update errand.tasks t
         set status = 'queued', lease_expires_at = null, lost_attempts = lost_attempts + 1
        from lost
       where t.id = lost.id and t.lost_attempts < ${MAX_RESCUES}
      returning t.id
    ), failed as (
      update errand.tasks t
         set status = 'failed', lease_expires_at = null, lost_attempts = lost_attempts + 1,
             finished_at = now(), failure_code = 'attempts_exhausted',
             failure_message = 'Its worker stopped ' || (lost_attempts + 1) || ' times.'
        from lost
       where t.id = lost.id and t.lost_attempts >= ${MAX_RESCUES}
    ), owed as (
      insert into errand.outbox (task_id, relay_at)
      select id, now() + make_interval(secs => ${PUBLISH_GRACE_SECONDS}) from requeued
      returning id, task_id
    )
    select lost.id as "taskId", owed.id as "outboxId"
      from lost left join owed on owed.task_id = lost.id`;
  const owed = rows.flatMap(({ taskId, outboxId }) =>
    outboxId === null ? [] : [{ id: outboxId, taskId }],
  );
  return { lost: rows.length, owed };
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

/** Tells whether a task is there at all, whoever it belongs to. */
export async function taskExists(sql: Sql, id: TaskId): Promise<boolean> {
  const found = await sql`select from errand.tasks where id = ${id}`;
  return found.length === 1;
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
