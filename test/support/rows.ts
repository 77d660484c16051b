import type { Sql } from '../../lib/db/connection.ts';
import type { Task, TaskId } from '../../lib/tasks/task.ts';
import { selectTask } from '../../lib/tasks/task-store.ts';
import { TENANT } from './a-task.ts';

/** A task that must be there. */
export async function theTask(sql: Sql, id: TaskId): Promise<Task> {
  const task = await selectTask(sql, TENANT, id);
  if (!task) throw new Error(`there is no task ${id}`);
  return task;
}

/** The tasks that a message is owed for, oldest row first. */
export async function owedTasks(sql: Sql): Promise<TaskId[]> {
  const rows = await sql<{ taskId: TaskId }[]>`
    select task_id as "taskId" from errand.outbox order by id`;
  return rows.map(({ taskId }) => taskId);
}
