import type { Sql } from '../../lib/db/connection.ts';
import { type Claim, claimTask } from '../../lib/tasks/attempt-store.ts';
import type { TaskId } from '../../lib/tasks/task.ts';

/** Claims a queued task, as a worker does. */
export async function claimed(sql: Sql, task: TaskId, leaseSeconds = 30): Promise<Claim> {
  const claim = await claimTask(sql, task, { leaseSeconds, sandboxTier: 'none' });
  if (!claim) throw new Error(`task ${task} cannot be claimed`);
  return claim;
}
