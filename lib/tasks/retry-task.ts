import { TaskNotEnded, TaskNotFound } from './errors.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { hasEnded, type Task, type TaskId, type Tenant } from './task.ts';
import { findTask, requeueEnded } from './task-store.ts';

export type RetryTask = (tenant: Tenant, id: TaskId) => Promise<Task>;

/** Runs an ended task again, as its next attempt. @throws TaskNotFound, TaskNotEnded */
export function makeRetryTask(deps: PublishDeps): RetryTask {
  return async (tenant, id) => {
    for (;;) {
      const owed = await requeueEnded(deps.sql, tenant, id);
      const task = await findTask(deps.sql, tenant, id);
      if (!task) throw new TaskNotFound(id);
      if (owed) {
        await publishOwed(deps, [owed]);
        return task;
      }
      if (!hasEnded(task.status)) throw new TaskNotEnded(task);
      // It had not ended, and has since: there is something to retry now.
    }
  };
}
