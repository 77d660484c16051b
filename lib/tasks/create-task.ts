import { v7 as uuidv7 } from 'uuid';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import type { NewTask, TaskId, TaskSummary, Tenant } from './task.ts';
import { insertTask } from './task-store.ts';

export type CreateTask = (tenant: Tenant, newTask: NewTask) => Promise<TaskSummary>;

/**
 * Accepts a command to run later. Once this resolves the task is committed, together with an
 * outbox row for its message. A broker that is away does not matter: the relay publishes later.
 */
export function makeCreateTask(deps: PublishDeps): CreateTask {
  return async (tenant, newTask) => {
    const { task, owed } = await insertTask(deps.sql, uuidv7() as TaskId, tenant, newTask);
    await publishOwed(deps, [owed]);
    return task;
  };
}
