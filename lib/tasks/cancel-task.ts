import type { Actor } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { count } from '../observability/metrics.ts';
import { TaskEnded, TaskNotFound } from './errors.ts';
import { hasEnded, type Task, type TaskId } from './task.ts';
import { NO_CAUSE } from './task-metrics.ts';
import { requestCancel, selectTask } from './task-store.ts';

const CANCELLED = { status: 'cancelled', cause: NO_CAUSE } as const;

export type CancelTask = (actor: Actor, id: TaskId) => Promise<Task>;

/**
 * Ends a queued task at once, and has the worker of a running one kill the command within two
 * seconds. A command that ends by itself before that keeps its own ending.
 * @throws TaskNotFound, TaskEnded
 */
export function makeCancelTask({ sql }: { sql: Sql }): CancelTask {
  return async (actor, id) => {
    for (;;) {
      const requested = await requestCancel(sql, actor, id);
      if (requested === 'cancelled') count('errand_tasks_ended_total', CANCELLED);
      const task = await selectTask(sql, actor.tenant, id);
      if (!task) throw new TaskNotFound(id);
      if (requested) return task;
      if (hasEnded(task.status)) throw new TaskEnded(task);
      // It had ended, and was retried since: there is something to cancel now.
    }
  };
}
