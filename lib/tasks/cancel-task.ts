import type { Sql } from '../db/connection.ts';
import { TaskEnded, TaskNotFound } from './errors.ts';
import { hasEnded, type Task, type TaskId, type Tenant } from './task.ts';
import { findTask, requestCancel } from './task-store.ts';

export type CancelTask = (tenant: Tenant, id: TaskId) => Promise<Task>;

/**
 * Ends a queued task at once, and has the worker of a running one kill the command within two
 * seconds. A command that ends by itself before that keeps its own ending.
 * @throws TaskNotFound, TaskEnded
 */
export function makeCancelTask({ sql }: { sql: Sql }): CancelTask {
  return async (tenant, id) => {
    for (;;) {
      const requested = await requestCancel(sql, tenant, id);
      const task = await findTask(sql, tenant, id);
      if (!task) throw new TaskNotFound(id);
      if (requested) return task;
      if (hasEnded(task.status)) throw new TaskEnded(task);
      // It had ended, and was retried since: there is something to cancel now.
    }
  };
}
