import type { Sql } from '../db/connection.ts';
import type { Logger } from '../observability/logger.ts';
import { outsideSpans } from '../observability/tracing.ts';
import { type Claim, checkLeases, type HeldAttempt, renewLeases } from './attempt-store.ts';

/** How often a worker asks whether its attempts still count: bounds how late a cancel is seen. */
const HEARTBEAT_MS = 1000;

/** So long before the end of its lease a worker gives up: a process tree takes time to kill. */
const KILL_MARGIN_MS = 2000;

/** A lease that is being kept. */
export interface KeptLease {
  /** Fires when the attempt is no longer ours, or when nobody can tell any more that it is. */
  readonly lost: AbortSignal;
  /** Fires when somebody asked for the task to be cancelled. */
  readonly cancelled: AbortSignal;
  release(): void;
}

export interface LeaseKeeper {
  /** Keeps the lease of an attempt. `claimedAt` is `performance.now()` from before the claim. */
  keep(claim: Claim, claimedAt: number): KeptLease;
}

interface Entry {
  readonly claim: Claim;
  readonly lost: AbortController;
  readonly cancelled: AbortController;
  /** On the clock of `performance.now()`, which no change of the wall clock moves. */
  renewedAt: number;
  expiry: NodeJS.Timeout | undefined;
}

/**
 * Keeps the leases of all attempts of this process with one statement a second, and learns from the
 * same statement which were cancelled or taken over. A database that is away costs nothing until a
 * lease runs out. That is counted here from *before* a statement, and there from its own `now()`,
 * so a worker gives up, and has time to kill, before the rescue takes over.
 */
export function makeLeaseKeeper(deps: {
  sql: Sql;
  leaseSeconds: number;
  logger: Logger;
}): LeaseKeeper {
  const { sql, leaseSeconds, logger } = deps;
  const leaseMs = leaseSeconds * 1000;
  const marginMs = Math.min(KILL_MARGIN_MS, leaseMs / 10);
  const heartbeatMs = Math.min(HEARTBEAT_MS, leaseMs / 4);
  const patienceMs = leaseMs / 6;
  const entries = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;
  let asking: { readonly since: number } | undefined;

  async function beat(): Promise<void> {
    const now = performance.now();
    // A question that stays without an answer (a dead connection) must not be the last one.
    if (asking && now - asking.since < patienceMs) return;
    const question = { since: now };
    asking = question;
    try {
      const due = [...entries].some(({ renewedAt }) => now - renewedAt >= leaseMs / 3);
      await (due ? renew([...entries]) : check([...entries]));
    } catch (error) {
      logger.warn({ attempts: entries.size, err: error }, 'could not ask about the leases');
    } finally {
      if (asking === question) asking = undefined;
    }
  }

  async function check(asked: readonly Entry[]): Promise<void> {
    tell(asked, await checkLeases(sql, asked.map(keyOf)));
  }

  async function renew(asked: readonly Entry[]): Promise<void> {
    const askedAt = performance.now();
    const held = await renewLeases(sql, asked.map(keyOf), leaseSeconds);
    tell(asked, held);
    for (const entry of asked) {
      if (entries.has(entry) && find(held, entry)?.renewed) rearm(entry, askedAt);
    }
  }

  function rearm(entry: Entry, renewedAt: number): void {
    if (renewedAt < entry.renewedAt) return;
    entry.renewedAt = renewedAt;
    clearTimeout(entry.expiry);
    entry.expiry = setTimeout(
      () => entry.lost.abort(new Error('the lease ran out')),
      leaseMs - marginMs - (performance.now() - renewedAt),
    );
  }

  function release(entry: Entry): void {
    clearTimeout(entry.expiry);
    entries.delete(entry);
    if (entries.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  return {
    keep(claim, claimedAt) {
      const entry: Entry = {
        claim,
        lost: new AbortController(),
        cancelled: new AbortController(),
        renewedAt: claimedAt,
        expiry: undefined,
      };
      rearm(entry, claimedAt);
      entries.add(entry);
      timer ??= outsideSpans(() => setInterval(beat, heartbeatMs));
      const { lost, cancelled } = entry;
      return { lost: lost.signal, cancelled: cancelled.signal, release: () => release(entry) };
    },
  };
}

const keyOf = ({ claim: { taskId, attempt } }: Entry) => ({ taskId, attempt });

function find(held: readonly HeldAttempt[], { claim: { taskId, attempt } }: Entry) {
  return held.find((row) => row.taskId === taskId && row.attempt === attempt);
}

function tell(entries: readonly Entry[], held: readonly HeldAttempt[]): void {
  for (const entry of entries) {
    const mine = find(held, entry);
    if (!mine) entry.lost.abort(new Error('the attempt was taken over'));
    else if (mine.cancelled) entry.cancelled.abort(new Error('the task was cancelled'));
  }
}
