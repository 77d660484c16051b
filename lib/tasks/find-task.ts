import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { TaskNotFound } from './errors.ts';
import { hasEnded, type Task, type TaskId } from './task.ts';
import { selectTask } from './task-store.ts';
import type { TaskWatcher } from './task-watcher.ts';

export type FindTask = (tenant: Tenant, id: TaskId, waitMs?: number) => Promise<Task>;

/** One task: as it is, or as it is once it has ended or the wait is over. @throws TaskNotFound */
export function makeFindTask({ sql, watcher }: { sql: Sql; watcher: TaskWatcher }): FindTask {
  async function find(tenant: Tenant, id: TaskId): Promise<Task> {
    const task = await selectTask(sql, tenant, id);
    if (!task) throw new TaskNotFound(id);
    return task;
  }

  return async (tenant, id, waitMs = 0) => {
    const task = await find(tenant, id);
    if (waitMs === 0 || hasEnded(task.status)) return task;
    await watcher.wait({ taskId: id }, waitMs);
    return find(tenant, id);
  };
}
