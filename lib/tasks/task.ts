import type { Program, SandboxTier } from '../sandbox/sandbox.ts';
import type { TaskLimits } from './limits.ts';

export type TaskId = string & { readonly __brand: 'TaskId' };

export const TASK_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];
export type AttemptStatus = Exclude<TaskStatus, 'queued'>;

/**
 * Why a task or an attempt is `failed`. With `sandbox_error` commands could not be isolated or
 * started: our trouble, not the command's.
 */
export const FAILURE_CODES = [
  'nonzero_exit',
  'signalled',
  'timed_out',
  'out_of_memory',
  'worker_lost',
  'sandbox_error',
  'attempts_exhausted',
] as const;
export type FailureCode = (typeof FAILURE_CODES)[number];

export interface Failure {
  readonly code: FailureCode;
  /** One sentence for people. */
  readonly message: string;
}

/** What a user asks for. */
export interface NewTask {
  readonly program: Program;
  readonly stdin: Buffer;
  readonly env: Readonly<Record<string, string>>;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly limits: TaskLimits;
  readonly labels: Readonly<Record<string, string>>;
  /** How often a command that fails is run. */
  readonly maxAttempts: number;
  /** Base of the exponential back-off between these attempts. */
  readonly retryDelaySeconds: number;
  /** Not to be started earlier: than `runAt`, or than so long after it was stored. */
  readonly runAt: Date | undefined;
  readonly delaySeconds: number;
  readonly onWorkerLost: OnWorkerLost;
}

/** `fail` is for a command that must never start twice. */
export type OnWorkerLost = 'rerun' | 'fail';

/** A task without what it was fed and what it wrote. */
export interface TaskSummary {
  readonly id: TaskId;
  readonly program: Program;
  readonly status: TaskStatus;
  /** The number of its newest attempt; 0 when it was never started. */
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly retryDelaySeconds: number;
  readonly onWorkerLost: OnWorkerLost;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly limits: TaskLimits;
  readonly labels: Readonly<Record<string, string>>;
  readonly failure: Failure | null;
  readonly createdAt: Date;
  readonly runAt: Date;
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly cancelRequestedAt: Date | null;
  /** How the newest attempt ended; nulls while it has not, or while another one is to come. */
  readonly result: AttemptResult;
}

/** A task with its attempts, oldest first, and what the newest one has written so far. */
export interface Task extends TaskSummary {
  readonly attempts: readonly Attempt[];
  readonly output: Outputs | null;
}

/** How an execution ended. At most one of exit code and signal is set: neither when a limit ended it. */
export interface AttemptResult {
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly wallMs: number | null;
  readonly cpuMs: number | null;
  readonly maxRssBytes: number | null;
}

/** One execution of a command. */
export interface Attempt {
  readonly number: number;
  readonly status: AttemptStatus;
  readonly sandboxTier: SandboxTier;
  readonly result: AttemptResult;
  readonly failure: Failure | null;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export interface Outputs {
  readonly stdout: Output;
  readonly stderr: Output;
}

/** What a stream carried: the first bytes, up to the cap, and how many there were in all. */
export interface Output {
  readonly bytes: Buffer;
  readonly totalBytes: number;
}

/** Tells whether a task will change no more. */
export function hasEnded(status: TaskStatus): boolean {
  return status !== 'queued' && status !== 'running';
}
