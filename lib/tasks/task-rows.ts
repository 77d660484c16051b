import type { Sql } from '../db/connection.ts';
import type { Program, SandboxTier } from '../sandbox/sandbox.ts';
import type { TaskLimits } from './limits.ts';
import type {
  Attempt,
  AttemptResult,
  AttemptStatus,
  Failure,
  FailureCode,
  OnWorkerLost,
  Output,
  Outputs,
  Task,
  TaskId,
  TaskStatus,
  TaskSummary,
} from './task.ts';

/** A row of `errand.tasks as t left join errand.attempts as a`. */
export interface TaskRow {
  id: TaskId;
  status: TaskStatus;
  command: string | null;
  argv: string[] | null;
  timeoutSeconds: number;
  memoryMb: number;
  limits: TaskLimits;
  labels: Record<string, string>;
  attempt: number;
  maxAttempts: number;
  retryDelaySeconds: number;
  onWorkerLost: OnWorkerLost;
  failureCode: FailureCode | null;
  failureMessage: string | null;
  createdAt: Date;
  runAt: Date;
  finishedAt: Date | null;
  cancelRequestedAt: Date | null;

  number: number | null;
  attemptStatus: AttemptStatus;
  sandboxTier: SandboxTier;
  attemptFailureCode: FailureCode | null;
  attemptFailureMessage: string | null;
  exitCode: number | null;
  signal: string | null;
  wallMs: number | null;
  cpuMs: number | null;
  maxRssBytes: number | null;
  attemptStartedAt: Date;
  attemptFinishedAt: Date | null;
}

/** A TaskRow with what the attempt wrote: null for nothing. */
export interface OutputRow extends TaskRow {
  stdout: Buffer | null;
  stdoutBytes: number;
  stderr: Buffer | null;
  stderrBytes: number;
}

/** All columns of a TaskRow but the output, which can be large. */
export function summaryColumns(sql: Sql) {
  return sql`
    t.id, t.status, t.command, t.argv, t.timeout_seconds as "timeoutSeconds",
    t.memory_mb as "memoryMb", t.limits, t.labels, t.attempt, t.max_attempts as "maxAttempts",
    t.retry_delay_seconds as "retryDelaySeconds", t.on_worker_lost as "onWorkerLost",
    t.failure_code as "failureCode", t.failure_message as "failureMessage", t.created_at as "createdAt",
    t.run_at as "runAt", t.finished_at as "finishedAt",
    t.cancel_requested_at as "cancelRequestedAt",
    a.number, a.status as "attemptStatus", a.sandbox_tier as "sandboxTier",
    a.failure_code as "attemptFailureCode", a.failure_message as "attemptFailureMessage",
    a.exit_code as "exitCode", a.signal, a.wall_ms as "wallMs", a.cpu_ms as "cpuMs",
    a.max_rss_bytes as "maxRssBytes", a.started_at as "attemptStartedAt",
    a.finished_at as "attemptFinishedAt"`;
}

export function programOf({ command, argv }: Pick<TaskRow, 'command' | 'argv'>): Program {
  if (argv) return { kind: 'argv', argv };
  return { kind: 'shell', command: command ?? '' };
}

export function toSummary(row: TaskRow): TaskSummary {
  const { id, status, attempt, maxAttempts, retryDelaySeconds, onWorkerLost } = row;
  const { timeoutSeconds, memoryMb, limits, labels } = row;
  const { createdAt, runAt, finishedAt, cancelRequestedAt } = row;
  return {
    id,
    program: programOf(row),
    status,
    attempt,
    maxAttempts,
    retryDelaySeconds,
    onWorkerLost,
    timeoutSeconds,
    memoryMb,
    limits,
    labels,
    failure: failureOf(row.failureCode, row.failureMessage),
    createdAt,
    runAt,
    // As the result, that of the newest attempt.
    startedAt: status === 'queued' || row.number === null ? null : row.attemptStartedAt,
    finishedAt,
    cancelRequestedAt,
    result: status === 'queued' ? NO_RESULT : resultOf(row),
  };
}

/** A task that waits to run again says nothing of the attempt before: that is in `attempts`. */
const NO_RESULT: AttemptResult = {
  exitCode: null,
  signal: null,
  wallMs: null,
  cpuMs: null,
  maxRssBytes: null,
};

/** The rows of one task, one for each attempt in order; a task without attempts has one row. */
export function toTask(rows: readonly OutputRow[]): Task | undefined {
  const newest = rows.at(-1);
  if (!newest) return undefined;
  const attempts = rows.flatMap((row) => (row.number === null ? [] : [toAttempt(row, row.number)]));
  const output = newest.status === 'queued' ? null : outputOf(newest);
  return { ...toSummary(newest), attempts, output };
}

function toAttempt(row: TaskRow, number: number): Attempt {
  return {
    number,
    status: row.attemptStatus,
    sandboxTier: row.sandboxTier,
    result: resultOf(row),
    failure: failureOf(row.attemptFailureCode, row.attemptFailureMessage),
    startedAt: row.attemptStartedAt,
    finishedAt: row.attemptFinishedAt,
  };
}

/** What the attempt has written so far. Null before there is one, and where nobody can tell. */
function outputOf(row: OutputRow): Outputs | null {
  const { number, stdout, stderr, attemptFinishedAt, attemptFailureCode } = row;
  const unseen = ENDED_UNSEEN.has(attemptFailureCode);
  if (number === null || (unseen && !stdout && !stderr)) return null;
  // Whoever saw the end counted all of it, kept or not.
  const counted = attemptFinishedAt !== null && !unseen;
  return {
    stdout: outputStream(stdout, counted ? row.stdoutBytes : undefined),
    stderr: outputStream(stderr, counted ? row.stderrBytes : undefined),
  };
}

/** Endings that their worker did not see. */
const ENDED_UNSEEN = new Set<FailureCode | null>(['worker_lost', 'sandbox_error']);

function outputStream(stored: Buffer | null, totalBytes: number | undefined): Output {
  const bytes = stored ?? Buffer.of();
  return { bytes, totalBytes: totalBytes ?? bytes.length };
}

function resultOf({ exitCode, signal, wallMs, cpuMs, maxRssBytes }: TaskRow): AttemptResult {
  return { exitCode, signal, wallMs, cpuMs, maxRssBytes };
}

function failureOf(code: FailureCode | null, message: string | null): Failure | null {
  return code && { code, message: message ?? '' };
}
