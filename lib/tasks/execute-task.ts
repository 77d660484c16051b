import { setTimeout as delay } from 'node:timers/promises';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import type { Limits, Outcome, Sandbox } from '../sandbox/sandbox.ts';
import {
  type Claim,
  claimTask,
  oweEarlyMessage,
  type Settlement,
  settleAttempt,
} from './attempt-store.ts';
import { TaskNotFound } from './errors.ts';
import { type KeptLease, makeLeaseKeeper } from './lease-keeper.ts';
import { FIXED_LIMITS } from './limits.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { settlementOf } from './settlement.ts';
import type { TaskId } from './task.ts';
import { abandonHeld } from './upkeep-store.ts';

const SETTLE_RETRY_MS = 250;

/**
 * `skipped`: there was nothing to do; the task has ended, is not due, or another worker has it.
 * `superseded`: the attempt was ours no longer. `given_back`: `signal` ended it, and the task is
 * runnable again.
 */
export type Execution = 'settled' | 'skipped' | 'superseded' | 'given_back';

export type ExecuteTask = (taskId: TaskId, signal: AbortSignal) => Promise<Execution>;

export interface ExecuteTaskDeps extends PublishDeps {
  readonly sandbox: Sandbox;
  readonly leaseSeconds: number;
}

/**
 * Claims a task, runs its command and settles the attempt, whatever the command did.
 * It throws for our own trouble only, and then the message is to be returned to the queue: the
 * database or the sandbox broke, or there is no such task.
 */
export function makeExecuteTask(deps: ExecuteTaskDeps): ExecuteTask {
  const { sql, sandbox, leaseSeconds } = deps;
  const leases = makeLeaseKeeper(deps);

  return async (taskId, signal) => {
    const claimedAt = performance.now();
    const claim = await claimTask(sql, taskId, { leaseSeconds, sandboxTier: sandbox.tier });
    if (!claim) return skip(deps, taskId);

    const lease = leases.keep(claim, claimedAt);
    try {
      const ended = AbortSignal.any([signal, lease.lost, lease.cancelled]);
      const outcome = await sandbox.run(claim.command, limitsOf(claim), () => {}, ended);
      return await conclude(deps, { claim, lease, outcome });
    } finally {
      lease.release();
    }
  };
}

async function skip(deps: PublishDeps, taskId: TaskId): Promise<Execution> {
  const early = await oweEarlyMessage(deps.sql, taskId);
  if (!early) throw new TaskNotFound(taskId);
  if (early.owed) await publishOwed(deps, [early.owed]);
  return 'skipped';
}

interface Run {
  readonly claim: Claim;
  readonly lease: KeptLease;
  readonly outcome: Outcome;
}

async function conclude(deps: ExecuteTaskDeps, run: Run): Promise<Execution> {
  const { claim, lease, outcome } = run;
  if (outcome.ending.kind === 'aborted') {
    if (lease.lost.aborted) return superseded(deps, run);
    if (!lease.cancelled.aborted) {
      const { owed } = await abandonHeld(deps.sql, claim);
      await publishOwed(deps, owed);
      return 'given_back';
    }
  }
  const settled = await settleWhileLeased(deps, claim, settlementOf(outcome), lease.lost);
  if (!settled) return superseded(deps, run);
  if (settled.retry) await publishOwed(deps, [settled.retry]);
  return 'settled';
}

function superseded({ logger }: ExecuteTaskDeps, { claim, lease }: Run): Execution {
  const { taskId, attempt } = claim;
  logger.warn({ taskId, attempt, reason: lease.lost.reason }, 'gave up a stale attempt');
  return 'superseded';
}

/** A result is worth more than a quick error: tries again until the attempt is not ours any more. */
async function settleWhileLeased(
  { sql }: ExecuteTaskDeps,
  claim: Claim,
  settlement: Settlement,
  lost: AbortSignal,
) {
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
