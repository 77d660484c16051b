import type { Sql } from '../db/connection.ts';
import type { Logger } from '../observability/logger.ts';
import { type Claim, checkLeases, type HeldAttempt, renewLeases } from './attempt-store.ts';

/** How often a worker asks whether its attempts still count: bounds how late a cancel is seen. */
const HEARTBEAT_MS = 1000;

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
  expiry: NodeJS.Timeout | undefined;
}

/**
 * Keeps the leases of all attempts of this process with one statement a second, and learns from the
 * same statement which were cancelled or taken over. A database that is away costs nothing until a
 * lease runs out. That is counted here from *before* a statement, and there from its own `now()`,
 * so a worker gives up before the rescue takes over.
 */
export function makeLeaseKeeper(deps: {
  sql: Sql;
  leaseSeconds: number;
  logger: Logger;
}): LeaseKeeper {
  const { sql, leaseSeconds, logger } = deps;
  const leaseMs = leaseSeconds * 1000;
  const heartbeatMs = Math.min(HEARTBEAT_MS, leaseMs / 4);
  const beatsPerRenewal = Math.max(1, Math.floor(leaseMs / 3 / heartbeatMs));
  const entries = new Set<Entry>();
  let timer: NodeJS.Timeout | undefined;
  let beats = 0;
  let busy = false;

  async function beat(): Promise<void> {
    if (busy) return;
    busy = true;
    try {
      beats += 1;
      await (beats % beatsPerRenewal === 0 ? renew([...entries]) : check([...entries]));
    } catch (error) {
      logger.warn({ attempts: entries.size, err: error }, 'could not ask about the leases');
    } finally {
      busy = false;
    }
  }

  async function check(asked: readonly Entry[]): Promise<void> {
    tell(asked, await checkLeases(sql, asked.map(keyOf)));
  }

  async function renew(asked: readonly Entry[]): Promise<void> {
    const askedAt = performance.now();
    tell(asked, await renewLeases(sql, asked.map(keyOf), leaseSeconds));
    for (const entry of asked) if (entries.has(entry)) rearm(entry, askedAt);
  }

  function rearm(entry: Entry, since: number): void {
    clearTimeout(entry.expiry);
    entry.expiry = setTimeout(
      () => entry.lost.abort(new Error('the lease ran out')),
      leaseMs - (performance.now() - since),
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
        expiry: undefined,
      };
      rearm(entry, claimedAt);
      entries.add(entry);
      timer ??= setInterval(beat, heartbeatMs);
      const { lost, cancelled } = entry;
      return { lost: lost.signal, cancelled: cancelled.signal, release: () => release(entry) };
    },
  };
}

const keyOf = ({ claim: { taskId, attempt } }: Entry) => ({ taskId, attempt });

function tell(entries: readonly Entry[], held: readonly HeldAttempt[]): void {
  for (const { claim, lost, cancelled } of entries) {
    const mine = held.find((h) => h.taskId === claim.taskId && h.attempt === claim.attempt);
    if (!mine) lost.abort(new Error('the attempt was taken over'));
    else if (mine.cancelled) cancelled.abort(new Error('the task was cancelled'));
  }
}
