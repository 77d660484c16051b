import { TaskNotEnded, TaskNotFound } from './errors.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import type { Task, TaskId, Tenant } from './task.ts';
import { findTask, requeueEnded } from './task-store.ts';

export type RetryTask = (tenant: Tenant, id: TaskId) => Promise<Task>;

/** Runs an ended task again, as its next attempt. @throws TaskNotFound, TaskNotEnded */
export function makeRetryTask(deps: PublishDeps): RetryTask {
  return async (tenant, id) => {
    const owed = await requeueEnded(deps.sql, tenant, id);
    const task = await findTask(deps.sql, tenant, id);
    if (!task) throw new TaskNotFound(id);
    if (!owed) throw new TaskNotEnded(task);
    await publishOwed(deps, [owed]);
    return task;
  };
}
