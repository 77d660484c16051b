import { audit } from '../access/audit-log.ts';
import type { Actor } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { traceparent } from '../observability/tracing.ts';
import { type OwedMessage, relayAt } from './outbox.ts';
import type { NewTask, TaskId, TaskSummary } from './task.ts';
import { summaryColumns, type TaskRow, toSummary } from './task-rows.ts';
import { NUDGE_SECONDS } from './task-store.ts';

/** A task to store, under an id that nobody has. */
export interface IdentifiedTask extends NewTask {
  readonly id: TaskId;
}

/** The client's name for a request, and what tells it from another request. */
export interface IdempotencyKey {
  readonly key: string;
  /** Of the body's meaning, so that the order of its fields does not matter. */
  readonly requestHash: Buffer;
}

export interface InsertedTasks {
  /** In the order in which they were given. */
  readonly tasks: readonly TaskSummary[];
  readonly owed: readonly OwedMessage[];
}

/**
 * Stores tasks and the messages that they owe to the queue, all or nothing. Undefined when the
 * idempotency key is taken: of two requests at once, the second one waits here for the first.
 */
export async function insertTasks(
  sql: Sql,
  actor: Actor,
  tasks: readonly IdentifiedTask[],
  idempotency: IdempotencyKey | undefined,
): Promise<InsertedTasks | undefined> {
  const trace = traceparent() ?? null;
  const rows = await sql<(TaskRow & { outboxId: number; delaySeconds: number })[]>`/* insertTasks */
    with input as (
      select * from jsonb_to_recordset(${sql.json(tasks.map(toInput))}) as i (
        position int, id uuid, command text, argv text[], stdin text, env jsonb,
        "timeoutSeconds" int, "memoryMb" int, limits jsonb, labels jsonb, "maxAttempts" int,
        "retryDelaySeconds" int, "onWorkerLost" text, "runAt" timestamptz, "delaySeconds" int)
    ), ${reserve(sql, actor, idempotency)}
    t as (
      insert into errand.tasks
             (id, tenant, command, argv, stdin, env, timeout_seconds, memory_mb, limits, labels,
              max_attempts, attempts_left, retry_delay_seconds, on_worker_lost, run_at, nudge_at,
              traceparent)
      select id, ${actor.tenant}, command, argv, decode(stdin, 'base64'), env, "timeoutSeconds",
             "memoryMb", limits, labels, "maxAttempts", "maxAttempts", "retryDelaySeconds",
             "onWorkerLost", due, due + make_interval(secs => ${NUDGE_SECONDS}), ${trace}
        from input, coalesce("runAt", now() + make_interval(secs => "delaySeconds")) as due
       ${idempotency ? sql`where exists (select from reserved)` : sql``}
      returning *
    ), labelled as (
      insert into errand.task_labels (tenant, key, value, created_at, task_id)
      select t.tenant, label.key, label.value, t.created_at, t.id
        from t, jsonb_each_text(t.labels) as label
    ), owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, run_at, ${relayAt(sql, sql`run_at`)} from t
      returning id, task_id, extract(epoch from due_at - now())::float8 as delay
    ), audited as (
      ${audit(sql, actor, 'task.create', sql`select id::text from t`)}
    )
    select ${summaryColumns(sql)}, owed.id as "outboxId", owed.delay as "delaySeconds"
      from t
      join owed on owed.task_id = t.id
      join input on input.id = t.id
      left join errand.attempts a on false
     order by input.position`;
  if (rows.length === 0) return undefined;
  return {
    tasks: rows.map(toSummary),
    owed: rows.map(({ outboxId, id, delaySeconds }) => ({
      id: outboxId,
      taskId: id,
      tenant: actor.tenant,
      traceparent: trace,
      delaySeconds,
    })),
  };
}

/** What a row of `input` is made from. */
function toInput(task: IdentifiedTask, index: number) {
  const { id, program, env, timeoutSeconds, memoryMb, limits, labels } = task;
  const { maxAttempts, retryDelaySeconds, onWorkerLost, delaySeconds } = task;
  return {
    position: index + 1,
    id,
    command: program.kind === 'shell' ? program.command : null,
    argv: program.kind === 'argv' ? [...program.argv] : null,
    // JSON in Postgres has no NUL, and a command may well be fed one.
    stdin: task.stdin.toString('base64'),
    env,
    timeoutSeconds,
    memoryMb,
    limits,
    labels,
    maxAttempts,
    retryDelaySeconds,
    onWorkerLost,
    runAt: task.runAt?.toISOString() ?? null,
    delaySeconds,
  };
}

/** Whoever stores position 1 has the key; the other positions follow. */
function reserve(sql: Sql, { tenant }: Actor, idempotency: IdempotencyKey | undefined) {
  if (!idempotency) return sql``;
  const { key, requestHash } = idempotency;
  return sql`
    reserved as (
      insert into errand.idempotency_keys (tenant, key, position, request_hash, task_id)
      select ${tenant}, ${key}, position, ${requestHash}, id from input where position = 1
      on conflict do nothing
      returning task_id
    ), others as (
      insert into errand.idempotency_keys as k (tenant, key, position, request_hash, task_id)
      select ${tenant}, ${key}, position, ${requestHash}, id
        from input where position > 1 and exists (select from reserved)
      on conflict (tenant, key, position) do update
         set request_hash = excluded.request_hash, task_id = excluded.task_id
    ),`;
}

/** What an idempotency key was used for; undefined when it was not. */
export async function findKeyUse(
  sql: Sql,
  { tenant }: Actor,
  key: string,
): Promise<{ requestHash: Buffer; taskIds: TaskId[] } | undefined> {
  const rows = await sql<{ requestHash: Buffer; taskId: TaskId }[]>`/* findKeyUse */
    select request_hash as "requestHash", task_id as "taskId"
      from errand.idempotency_keys
     where tenant = ${tenant} and key = ${key}
     order by position`;
  const [first] = rows;
  return first && { requestHash: first.requestHash, taskIds: rows.map(({ taskId }) => taskId) };
}
