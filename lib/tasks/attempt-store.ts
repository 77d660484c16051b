import type { Sql } from '../db/connection.ts';
import type { Command, SandboxTier } from '../sandbox/sandbox.ts';
import type { TaskLimits } from './limits.ts';
import { type OwedMessage, relayAt } from './outbox.ts';
import { chunkRows, type OutputBatch } from './output-store.ts';
import { aFreeSlot, firstParked, unpark, unparkedMessages } from './slots.ts';
import type { AttemptResult, AttemptStatus, Failure, TaskId } from './task.ts';
import { programOf, type TaskRow } from './task-rows.ts';
import { NUDGE_SECONDS } from './task-store.ts';

// What a worker writes. Each statement holds only while the attempt is its task's running one: the
// guard is id, attempt and status, the returned row is the answer, and the clock is the database's.

/** Back-off never grows beyond a day. */
const MAX_BACKOFF_SECONDS = 86_400;

/** A task that is ours until its lease runs out. */
export interface Claim {
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly command: Command;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly limits: TaskLimits;
  /** Since the task could run. */
  readonly waitedSeconds: number;
  /** Of what created the task; null without tracing. */
  readonly traceparent: string | null;
}

type ClaimRow = Pick<TaskRow, 'command' | 'argv' | 'timeoutSeconds' | 'memoryMb' | 'limits'> &
  Pick<Claim, 'taskId' | 'attempt' | 'waitedSeconds' | 'traceparent'> & {
    stdin: Buffer;
    env: Record<string, string>;
    tenant: string;
  };

export interface ClaimOptions {
  readonly leaseSeconds: number;
  readonly sandboxTier: SandboxTier;
  /** How many tasks of its tenant may run at once; undefined: any number. */
  readonly cap?: number | undefined;
}

/**
 * Takes the lease on a queued task that is due and begins its next attempt; undefined when there is
 * none to take: it has ended, is not due, or is running, be it with a live lease or one that ran
 * out and belongs to the rescue; or as many tasks of its tenant run as may.
 * @throws an error that `isSlotTaken` knows, when somebody took its slot at the same moment
 */
export async function claimTask(
  sql: Sql,
  taskId: TaskId,
  { leaseSeconds, sandboxTier, cap }: ClaimOptions,
): Promise<Claim | undefined> {
  const slot =
    cap === undefined
      ? sql`select null::integer`
      : aFreeSlot(sql, sql`select tenant from errand.tasks where id = ${taskId}`, cap);
  const [row] = await sql<ClaimRow[]>`/* claimTask */
    with claimed as (
      update errand.tasks t
         set status = 'running', attempt = attempt + 1, started_at = coalesce(started_at, now()),
             lease_expires_at = now() + make_interval(secs => ${leaseSeconds}),
             slot = free.slot, parked_at = null
        from (${slot}) as free (slot)
       where id = ${taskId} and status = 'queued' and run_at <= now()
      returning t.*
    ), begun as (
      insert into errand.attempts (task_id, number, sandbox_tier)
      select id, attempt, ${sandboxTier} from claimed
    )
    select id as "taskId", attempt, command, argv, stdin, env, tenant, traceparent,
           timeout_seconds as "timeoutSeconds", memory_mb as "memoryMb", limits,
           extract(epoch from now() - run_at)::float8 as "waitedSeconds"
      from claimed`;
  if (!row) return undefined;
  const { stdin, env, tenant, command, argv, ...claim } = row;
  return { ...claim, command: { program: programOf({ command, argv }), stdin, env, tenant } };
}

/**
 * Looks at a task that could not be claimed; undefined when there is none. A task that is queued
 * all the same was not due, or became due or queued just now: this delivery is used up, so it is
 * owed a new message, unless one is owed already, or it is parked: a free slot will call for it.
 */
export async function oweUnclaimed(
  sql: Sql,
  taskId: TaskId,
): Promise<{ owed: OwedMessage | undefined } | undefined> {
  const [row] = await sql<
    (Pick<OwedMessage, 'tenant' | 'traceparent' | 'delaySeconds'> & { id: number | null })[]
  >`/* oweUnclaimed */
    with t as (
      select id, tenant, traceparent, run_at, status, parked_at
        from errand.tasks where id = ${taskId}
    ), owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, run_at, ${relayAt(sql, sql`run_at`)} from t
       where status = 'queued' and parked_at is null
         and not exists (select from errand.outbox where task_id = t.id)
      returning id
    )
    select (select id from owed) as id, tenant, traceparent,
           extract(epoch from run_at - now())::float8 as "delaySeconds"
      from t`;
  if (!row) return undefined;
  const { id, ...message } = row;
  return { owed: id === null ? undefined : { id, taskId, ...message } };
}

/** An attempt that is still its task's running one. */
export interface HeldAttempt {
  readonly taskId: TaskId;
  readonly attempt: number;
  readonly cancelled: boolean;
  readonly renewed: boolean;
}

type AttemptKey = Pick<Claim, 'taskId' | 'attempt'>;

/**
 * Keeps the leases of attempts; those that are no longer ours are not among the returned ones. A
 * row that somebody has locked is passed over (`renewed` is false): the other leases must not wait
 * for it, and there is time to try again.
 */
export async function renewLeases(
  sql: Sql,
  held: readonly AttemptKey[],
  leaseSeconds: number,
): Promise<HeldAttempt[]> {
  return sql<HeldAttempt[]>`/* renewLeases */
    with mine as (
      ${rowsOf(sql, held)}
    ), free as (
      select t.id from errand.tasks t join mine on t.id = mine.id and t.attempt = mine.attempt
       where t.status = 'running'
         for no key update of t skip locked
    ), renewed as (
      update errand.tasks t set lease_expires_at = now() + make_interval(secs => ${leaseSeconds})
        from free where t.id = free.id
      returning t.id
    )
    select t.id as "taskId", t.attempt, t.cancel_requested_at is not null as cancelled,
           exists (select from renewed where renewed.id = t.id) as renewed
      from errand.tasks t join mine on t.id = mine.id and t.attempt = mine.attempt
     where t.status = 'running'`;
}

/** The same answer without renewing: reading is cheap enough to do every second. */
export async function checkLeases(sql: Sql, held: readonly AttemptKey[]): Promise<HeldAttempt[]> {
  return sql<HeldAttempt[]>`/* checkLeases */
    with mine as (
      ${rowsOf(sql, held)}
    )
    select t.id as "taskId", t.attempt, t.cancel_requested_at is not null as cancelled,
           false as renewed
      from errand.tasks t join mine on t.id = mine.id and t.attempt = mine.attempt
     where t.status = 'running'`;
}

function rowsOf(sql: Sql, held: readonly AttemptKey[]) {
  return sql`select * from unnest(${held.map(({ taskId }) => taskId)}::uuid[],
                                  ${held.map(({ attempt }) => attempt)}::int[]) as m (id, attempt)`;
}

/** What an attempt came to. */
export interface Settlement extends AttemptResult {
  readonly status: Exclude<AttemptStatus, 'running'>;
  readonly failure: Failure | null;
  /** All that the command wrote, kept or not. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
}

/** What a settled attempt means for its task. */
export interface Settled {
  /** The task is to run again; else it has ended. */
  readonly again: boolean;
  /** Of the task, since its creation. */
  readonly ageSeconds: number;
  readonly owed: readonly OwedMessage[];
}

/**
 * Records how an attempt ended, with what of its output is not stored yet; undefined when it was no
 * longer the task's running one. A command that failed, has attempts left and is not to be cancelled
 * makes its task queued again, due after exponential back-off with full jitter, with a message that
 * is owed. So is one for the first of the tenant's parked tasks: there is a slot for it.
 */
export async function settleAttempt(
  sql: Sql,
  claim: AttemptKey,
  end: Settlement,
  unstored: OutputBatch,
): Promise<Settled | undefined> {
  const [row] = await sql<Settled[]>`/* settleAttempt */
    with mine as (
      select id, tenant, traceparent, slot, attempt, created_at,
             ${end.status} = 'failed' and attempts_left > 1 and cancel_requested_at is null as again,
             now() + random() * make_interval(secs => least(
               retry_delay_seconds * 2.0 ^ (max_attempts - attempts_left),
               ${MAX_BACKOFF_SECONDS})) as retry_at
        from errand.tasks
       where id = ${claim.taskId} and attempt = ${claim.attempt} and status = 'running'
         for no key update
    ), task as (
      update errand.tasks t
         set status = case when again then 'queued' else ${end.status} end,
             attempts_left = case when again then attempts_left - 1 else attempts_left end,
             run_at = case when again then retry_at else run_at end,
             nudge_at = case when again then retry_at + make_interval(secs => ${NUDGE_SECONDS})
                             else nudge_at end,
             lease_expires_at = null, slot = null,
             finished_at = case when again then null else now() end,
             failure_code = case when again then null else ${end.failure?.code ?? null} end,
             failure_message = case when again then null else ${end.failure?.message ?? null} end
        from mine
       where t.id = mine.id
    ), attempt as (
      update errand.attempts a
         set status = ${end.status}, finished_at = now(),
             failure_code = ${end.failure?.code ?? null},
             failure_message = ${end.failure?.message ?? null},
             exit_code = ${end.exitCode}, signal = ${end.signal},
             stdout_bytes = ${end.stdoutBytes}, stderr_bytes = ${end.stderrBytes},
             wall_ms = ${end.wallMs}, cpu_ms = ${end.cpuMs}, max_rss_bytes = ${end.maxRssBytes}
        from mine
       where a.task_id = mine.id and a.number = mine.attempt
    ), output as (
      insert into errand.output_chunks (task_id, seq, stream, bytes)
      select chunk.* from mine, (${chunkRows(sql, claim.taskId, unstored)}) as chunk
      on conflict do nothing
    ), owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, retry_at, ${relayAt(sql, sql`retry_at`)} from mine where again
      returning id, task_id
    ), next as (
      ${firstParked(sql, sql`(select tenant from mine where slot is not null)`, sql`1`)}
    ), ${unpark(sql, sql`select id from next`)}
    select coalesce((select jsonb_agg(to_jsonb(m)) from (
             select owed.id, tenant, traceparent, task_id as "taskId",
                    extract(epoch from retry_at - now())::float8 as "delaySeconds"
               from owed join mine on mine.id = task_id
              union all
             ${unparkedMessages(sql)}) as m), '[]') as owed,
           again, extract(epoch from now() - created_at)::float8 as "ageSeconds"
      from mine`;
  return row;
}

/** Ends an attempt whose sandbox broke. Its task is left to the lease. */
export async function blameSandbox(sql: Sql, claim: AttemptKey, message: string): Promise<void> {
  await sql`/* blameSandbox */
    update errand.attempts a
       set status = 'failed', finished_at = now(), failure_code = 'sandbox_error',
           failure_message = ${message}
     where task_id = ${claim.taskId} and number = ${claim.attempt} and status = 'running'`;
}
