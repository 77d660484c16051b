import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from '../../lib/db/connection.ts';
import type { TaskId } from '../../lib/tasks/task.ts';

/**
 * Runs statements on one task at once and in a known order: a lock on its row is held until all of
 * them have begun, each one waiting behind the one before. So every statement has a snapshot from
 * before the first of them took effect, which is where READ COMMITTED goes wrong when it does.
 * A statement that does not wait for locks (`skip locked`) ends while the row is still held.
 */
export async function runBehindLock<const T extends readonly (() => Promise<unknown>)[]>(
  sql: Sql,
  taskId: TaskId,
  steps: T,
): Promise<{ [K in keyof T]: T[K] extends () => Promise<infer R> ? R : never }> {
  const outcomes: Promise<unknown>[] = [];
  await sql.begin(async (holder) => {
    await holder`select from errand.tasks where id = ${taskId} for update`;
    let waiting = 0;
    for (const step of steps) {
      let ended = false;
      const outcome = step().finally(() => {
        ended = true;
      });
      outcome.catch(() => {});
      outcomes.push(outcome);
      while (!ended && (await countWaiting(sql)) === waiting) await delay(1);
      waiting = await countWaiting(sql);
    }
  });
  return (await Promise.all(outcomes)) as never;
}

/** How many sessions of this database wait for a lock. */
export async function countWaiting(sql: Sql): Promise<number> {
  const [row] = await sql<[{ waiting: number }]>`
    select count(*)::int as waiting from pg_stat_activity
     where datname = current_database() and wait_event_type = 'Lock'`;
  return row.waiting;
}
