import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import type { QueueDepth, TaskQueue } from '../queue/task-queue.ts';
import {
  type CountByStatus,
  countByStatus,
  countRecent,
  oldestWaitSeconds,
  type Percentiles,
  type RecentFigures,
  recentDurations,
  WINDOW_SECONDS,
} from './stats-store.ts';

export interface Stats {
  readonly tasks: CountByStatus;
  /** How long the oldest task has waited that could run. */
  readonly oldestWaitSeconds: number | null;
  readonly recent: RecentFigures & {
    readonly seconds: number;
    readonly waitMs: Percentiles;
    readonly runMs: Percentiles;
  };
  /** What the broker counts, of all tenants; null for who must not know. */
  readonly queue: (QueueDepth & { readonly deadLetters: number }) | null;
}

export type ReadStats = (
  tenant: Tenant,
  options: { readonly wholeQueue: boolean },
) => Promise<Stats>;

/** How a tenant's tasks fare, at a cost that does not grow with their number. @throws QueueUnavailable */
export function makeReadStats({ sql, queue }: { sql: Sql; queue: TaskQueue }): ReadStats {
  return async (tenant, { wholeQueue }) => {
    const [tasks, recent, durations, oldest, broker] = await Promise.all([
      countByStatus(sql, tenant),
      countRecent(sql, tenant),
      recentDurations(sql, tenant),
      oldestWaitSeconds(sql, tenant),
      wholeQueue ? readQueue(queue) : null,
    ]);
    return {
      tasks,
      oldestWaitSeconds: oldest,
      recent: { seconds: WINDOW_SECONDS, ...recent, ...durations },
      queue: broker,
    };
  };
}

async function readQueue(queue: TaskQueue) {
  const [depth, deadLetters] = await Promise.all([queue.depth(), queue.countDeadLetters()]);
  return { ...depth, deadLetters };
}
