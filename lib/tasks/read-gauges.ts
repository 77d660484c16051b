import type { Sql } from '../db/connection.ts';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';
import { set } from '../observability/metrics.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { readBacklog } from './backlog-store.ts';

/** Whoever asks more often gets the same figures again. */
const FRESH_MS = 5000;

export type ReadGauges = () => Promise<void>;

/** Records how much there is to do, of all tenants, by what the database knows. */
export function makeReadBacklog({ sql }: { readonly sql: Sql }): ReadGauges {
  return async () => {
    const backlog = await readBacklog(sql);
    set('errand_tasks', { status: 'queued' }, backlog.queued);
    set('errand_tasks', { status: 'running' }, backlog.running);
    set('errand_oldest_wait_seconds', {}, backlog.oldestWaitSeconds);
    set('errand_outbox_due_messages', {}, backlog.owed);
    set('errand_relay_lag_seconds', {}, backlog.relayLagSeconds);
  };
}

/**
 * The same, and what the broker counts. What cannot be asked right now keeps its last value, and the
 * log says so.
 */
export function makeReadGauges(deps: {
  readonly sql: Sql;
  readonly queue: TaskQueue;
  readonly logger: Logger;
}): ReadGauges {
  const { queue, logger } = deps;
  const recordBacklog = makeReadBacklog(deps);
  let reading: Promise<void> | undefined;
  let readAt = Number.NEGATIVE_INFINITY;

  async function read(): Promise<void> {
    readAt = performance.now();
    const results = await Promise.allSettled([
      recordBacklog(),
      Promise.all([queue.depth(), queue.countDeadLetters()]).then(([depth, deadLetters]) => {
        set('errand_queue_messages', { state: 'ready' }, depth.ready);
        set('errand_queue_messages', { state: 'delayed' }, depth.delayed);
        if (depth.inFlight !== null)
          set('errand_queue_messages', { state: 'in_flight' }, depth.inFlight);
        set('errand_dead_letters', {}, deadLetters);
      }),
    ]);
    for (const result of results) {
      if (result.status === 'rejected')
        logger.warn(inOneLine(result.reason), 'could not read some gauges');
    }
  }

  return () => {
    if (!reading || performance.now() - readAt > FRESH_MS) reading = read();
    return reading;
  };
}
