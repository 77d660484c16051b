import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from '../db/connection.ts';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import type { Logger } from '../observability/logger.ts';
import type { Limits, Sandbox } from '../sandbox/sandbox.ts';
import { TaskNotFound } from './errors.ts';
import { type KeptLease, keepLease } from './lease.ts';
import { FIXED_LIMITS } from './limits.ts';
import { settlementOf } from './settlement.ts';
import type { TaskId } from './task.ts';
import { type Claim, claimTask, type Settlement, settleAttempt, taskExists } from './task-store.ts';

const SETTLE_RETRY_MS = 250;

/** `skipped`: the task has ended, or another worker has it. `superseded`: ours no longer counts. */
export type Execution = 'settled' | 'skipped' | 'superseded';

export type ExecuteTask = (taskId: TaskId, signal: AbortSignal) => Promise<Execution>;

export interface ExecuteTaskDeps {
  readonly sql: Sql;
  readonly sandbox: Sandbox;
  readonly leaseSeconds: number;
  readonly logger: Logger;
}

/**
 * Claims a task, runs its command and settles the attempt, whatever the command did.
 * It throws for our own trouble only, and then the message is to be returned to the queue: the
 * database or the sandbox broke, `signal` ended the command early, or the task is not there.
 */
export function makeExecuteTask(deps: ExecuteTaskDeps): ExecuteTask {
  return async (taskId, signal) => {
    const claim = await claimTask(deps.sql, taskId, {
      leaseSeconds: deps.leaseSeconds,
      sandboxTier: deps.sandbox.tier,
    });
    if (!claim) return skip(deps.sql, taskId);

    const lease = keepLease(deps, claim);
    try {
      return await run(deps, claim, lease, signal);
    } finally {
      lease.stop();
    }
  };
}

async function skip(sql: Sql, taskId: TaskId): Promise<Execution> {
  if (await taskExists(sql, taskId)) return 'skipped';
  throw new TaskNotFound(taskId);
}

async function run(
  { sql, sandbox, logger }: ExecuteTaskDeps,
  claim: Claim,
  { lost }: KeptLease,
  signal: AbortSignal,
): Promise<Execution> {
  const ended = AbortSignal.any([signal, lost]);
  const outcome = await sandbox.run(claim.command, limitsOf(claim), () => {}, ended);
  const { taskId, attempt } = claim;
  if (outcome.ending.kind === 'aborted') {
    if (lost.aborted) {
      logger.warn({ taskId, attempt, reason: lost.reason }, 'gave up a stale attempt');
      return 'superseded';
    }
    throw signal.reason;
  }
  const settled = await settleWhileLeased(sql, claim, settlementOf(outcome), lost);
  return settled ? 'settled' : 'superseded';
}

/** A result is worth more than a quick error: tries again until the attempt is not ours any more. */
async function settleWhileLeased(
  sql: Sql,
  claim: Claim,
  settlement: Settlement,
  lost: AbortSignal,
): Promise<boolean> {
  for (;;) {
    try {
      return await settleAttempt(sql, claim, settlement);
    } catch (error) {
      if (!isDatabaseUnavailable(error) || lost.aborted) throw error;
      await delay(SETTLE_RETRY_MS);
    }
  }
}

function limitsOf({ timeoutSeconds, memoryMb }: Claim): Limits {
  return {
    ...FIXED_LIMITS,
    wallMs: timeoutSeconds * 1000,
    cpuMs: timeoutSeconds * 1000,
    memoryBytes: memoryMb * 1024 ** 2,
  };
}
