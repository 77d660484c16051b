import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from '../db/connection.ts';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import { inOneLine } from '../observability/in-one-line.ts';
import { addToLog } from '../observability/log-context.ts';
import { count } from '../observability/metrics.ts';
import { type Attributes, describeSpan, inSpan, linkSpan } from '../observability/tracing.ts';
import { type Outcome, type Sandbox, SandboxError } from '../sandbox/sandbox.ts';
import {
  blameSandbox,
  type Claim,
  claimTask,
  oweUnclaimed,
  settleAttempt,
} from './attempt-store.ts';
import { TaskNotFound } from './errors.ts';
import { type KeptLease, makeLeaseKeeper } from './lease-keeper.ts';
import { sandboxLimits } from './limits.ts';
import { makeOutputRecorder, type OutputRecorder } from './output-recorder.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { settlementOf } from './settlement.ts';
import { isSlotTaken, parkTask, unparkWhereFree } from './slots.ts';
import type { TaskId } from './task.ts';
import { recordAbandoned, recordClaim, recordRun, recordSettlement } from './task-metrics.ts';
import { abandonHeld } from './upkeep-store.ts';

const SETTLE_RETRY_MS = 250;

/** Others may take the slot that a claim has chosen, as often as there are slots; hardly so often. */
const CLAIM_TRIES = 20;

/**
 * `skipped`: there was nothing to do; the task has ended, is not due, another worker has it, or as
 * many tasks of its tenant run as may.
 * `superseded`: the attempt was ours no longer. `given_back`: `signal` ended it, and the task is
 * runnable again.
 */
export type Execution = 'settled' | 'skipped' | 'superseded' | 'given_back';

export type ExecuteTask = (taskId: TaskId, signal: AbortSignal) => Promise<Execution>;

export interface ExecuteTaskDeps extends PublishDeps {
  readonly sandbox: Sandbox;
  readonly leaseSeconds: number;
  /** How many tasks of one tenant may run at once; undefined: any number. */
  readonly tenantMaxRunning?: number | undefined;
  /** A pool for the leases alone, which other statements cannot exhaust. */
  readonly leaseSql?: Sql;
}

/**
 * Claims a task, runs its command and settles the attempt, whatever the command did.
 * It throws for our own trouble only, and then the message is to be returned to the queue: the
 * database or the sandbox broke, or there is no such task.
 */
export function makeExecuteTask(deps: ExecuteTaskDeps): ExecuteTask {
  const { sql, leaseSeconds, logger } = deps;
  const leases = makeLeaseKeeper({ sql: deps.leaseSql ?? sql, leaseSeconds, logger });

  return async (taskId, signal) => {
    if (signal.aborted) return leaveToOthers(deps, taskId);
    const claimedAt = performance.now();
    const claim = await claimSlot(deps, taskId);
    if (!claim) return skip(deps, taskId);
    recordClaim(claim, deps.sandbox.tier);
    tellClaim(claim);

    const lease = leases.keep(claim, claimedAt);
    try {
      const ended = AbortSignal.any([signal, lease.lost, lease.cancelled]);
      const output = makeOutputRecorder(deps, claim);
      const outcome = await runSandboxed(deps, claim, output, ended);
      return await conclude(deps, { claim, lease, output, outcome, signal });
    } finally {
      lease.release();
    }
  };
}

/** The message of a task may have come without its trace, as from a hand that sent it. */
function tellClaim({ attempt, command: { tenant }, traceparent }: Claim): void {
  addToLog({ attempt, ...(tenant !== undefined && { tenant }) });
  describeSpan({ 'errand.attempt': attempt, 'errand.tenant': tenant });
  linkSpan(traceparent);
}

async function claimSlot(deps: ExecuteTaskDeps, taskId: TaskId): Promise<Claim | undefined> {
  const { sql, sandbox, leaseSeconds, tenantMaxRunning: cap } = deps;
  for (let tries = 1; ; tries++) {
    try {
      return await claimTask(sql, taskId, { leaseSeconds, sandboxTier: sandbox.tier, cap });
    } catch (error) {
      if (!isSlotTaken(error)) throw error;
      // The task is owed a new message then, and may have better luck with that.
      if (tries === CLAIM_TRIES) return undefined;
    }
  }
}

/**
 * A sandbox that breaks is told in the attempt; the task stays ours until its lease ends, which is
 * the pause before the rescue lets it run again. @throws SandboxError
 */
async function runSandboxed(
  { sql, sandbox, logger }: ExecuteTaskDeps,
  claim: Claim,
  output: OutputRecorder,
  ended: AbortSignal,
) {
  const startedAt = performance.now();
  try {
    const outcome = await inSpan(
      { name: 'run', kind: 'internal', attributes: { 'errand.sandbox.tier': sandbox.tier } },
      async () => {
        const { command } = claim;
        const outcome = await sandbox.run(command, sandboxLimits(claim), output.add, ended);
        describeSpan(attributesOf(outcome.ending));
        return outcome;
      },
    );
    recordRun(outcome, sandbox.tier, performance.now() - startedAt);
    return outcome;
  } catch (error) {
    await output.finish();
    if (error instanceof SandboxError) {
      count('errand_sandbox_failures_total', { tier: sandbox.tier });
      await blameSandbox(sql, claim, error.message).catch((err: unknown) =>
        logger.warn({ ...keyOf(claim), err }, 'could not tell that the sandbox broke'),
      );
    }
    throw error;
  }
}

function attributesOf(ending: Outcome['ending']): Attributes {
  return {
    'errand.ending': ending.kind,
    'process.exit.code': ending.kind === 'exited' ? ending.exitCode : undefined,
  };
}

const keyOf = ({ taskId, attempt }: Claim) => ({ taskId, attempt });

/**
 * Begins nothing any more. The message is owed again, and the relay publishes it a little later:
 * at once, it would come straight back to this worker.
 */
async function leaveToOthers({ sql }: ExecuteTaskDeps, taskId: TaskId): Promise<Execution> {
  if (!(await oweUnclaimed(sql, taskId))) throw new TaskNotFound(taskId);
  return 'skipped';
}

async function skip(deps: ExecuteTaskDeps, taskId: TaskId): Promise<Execution> {
  const { sql, tenantMaxRunning: cap } = deps;
  if (cap === undefined || !(await parkTask(sql, taskId, cap))) {
    const task = await oweUnclaimed(sql, taskId);
    if (!task) throw new TaskNotFound(taskId);
    if (task.owed) await publishOwed(deps, [task.owed]);
  }
  // A slot may have come free while the task was being parked, and nobody saw it there; or the slot
  // that this message was sent for is of no use to its task, which was cancelled meanwhile.
  await wakeParked(deps, taskId);
  return 'skipped';
}

/** Sends for the first parked task of the same tenant, should there be a slot for it. */
async function wakeParked(deps: ExecuteTaskDeps, taskId: TaskId): Promise<void> {
  const { sql, tenantMaxRunning: cap } = deps;
  if (cap === undefined) return;
  await publishOwed(deps, await unparkWhereFree(sql, { cap, limit: 1, likeTask: taskId }));
}

interface Run {
  readonly claim: Claim;
  readonly lease: KeptLease;
  readonly output: OutputRecorder;
  readonly outcome: Outcome;
  readonly signal: AbortSignal;
}

async function conclude(deps: ExecuteTaskDeps, run: Run): Promise<Execution> {
  const { lease, output, outcome } = run;
  if (outcome.ending.kind === 'aborted' && (lease.lost.aborted || !lease.cancelled.aborted)) {
    await output.finish();
    return lease.lost.aborted ? superseded(deps, run) : giveBack(deps, run);
  }
  const settled = await inSpan({ name: 'settle', kind: 'internal' }, () => settle(deps, run));
  if (!settled) return superseded(deps, run);
  await publishOwed(deps, settled.owed);
  return 'settled';
}

async function giveBack(deps: ExecuteTaskDeps, run: Run): Promise<Execution> {
  const { fates, owed } = await abandonHeld(deps.sql, run.claim);
  if (fates.length === 0) return superseded(deps, run);
  recordAbandoned(fates, 'given_back');
  await publishOwed(deps, owed);
  // A task that was queued again takes up its slot again.
  if (owed.length === 0) await wakeParked(deps, run.claim.taskId);
  return 'given_back';
}

function superseded({ logger }: ExecuteTaskDeps, { claim, lease }: Run): Execution {
  const { cause: reason } = inOneLine(lease.lost.reason);
  logger.warn({ ...keyOf(claim), reason }, 'gave up a stale attempt');
  return 'superseded';
}

/**
 * A result is worth more than a quick error, so this tries until the database answers, also past
 * the end of the lease: the attempt number tells whether the result still counts. It stops when
 * `signal` asks for that and nothing is ours any more.
 */
async function settle({ sql }: ExecuteTaskDeps, { claim, output, outcome, lease, signal }: Run) {
  const settlement = settlementOf(outcome);
  const unstored = await output.finish();
  for (;;) {
    try {
      const settled = await settleAttempt(sql, claim, settlement, unstored);
      if (settled) recordSettlement(settlement, settled);
      return settled;
    } catch (error) {
      if (!isDatabaseUnavailable(error) || (signal.aborted && lease.lost.aborted)) throw error;
      await delay(SETTLE_RETRY_MS);
    }
  }
}
