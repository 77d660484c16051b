import type { Sql } from '../db/connection.ts';
import type { Logger } from '../observability/logger.ts';
import { type Claim, renewLease } from './task-store.ts';

/** A lease that is being kept. */
export interface KeptLease {
  /** Fires when the attempt is no longer ours, or when nobody can tell any more that it is. */
  readonly lost: AbortSignal;
  stop(): void;
}

/**
 * Renews the lease of an attempt three times as often as it would run out. A database that is away
 * costs nothing until then. The time is counted here from *before* each statement, and there from
 * its own `now()`, so a worker gives up earlier than the rescue takes over.
 */
export function keepLease(
  { sql, leaseSeconds, logger }: { sql: Sql; leaseSeconds: number; logger: Logger },
  claim: Claim,
): KeptLease {
  const lost = new AbortController();
  const expire = () => lost.abort(new Error('the lease ran out'));
  let expiry = setTimeout(expire, leaseSeconds * 1000);

  const renew = async () => {
    const asked = performance.now();
    try {
      if (!(await renewLease(sql, claim, leaseSeconds))) {
        lost.abort(new Error('another attempt took over'));
        return;
      }
      clearTimeout(expiry);
      expiry = setTimeout(expire, leaseSeconds * 1000 - (performance.now() - asked));
    } catch (error) {
      logger.warn({ taskId: claim.taskId, err: error }, 'could not renew the lease');
    }
  };
  const renewal = setInterval(renew, (leaseSeconds * 1000) / 3);

  const stop = () => {
    clearInterval(renewal);
    clearTimeout(expiry);
  };
  lost.signal.addEventListener('abort', stop);
  return { lost: lost.signal, stop };
}
