import { makeCreateTask, makeCreateTasks } from '../../lib/tasks/create-tasks.ts';
import type { PublishDeps } from '../../lib/tasks/publish-owed.ts';
import type { NewTask, TaskSummary } from '../../lib/tasks/task.ts';
import { ACTOR } from './a-task.ts';

/** The use case for one task, in the name of the usual tenant. */
export function creator(deps: PublishDeps): (task: NewTask) => Promise<TaskSummary> {
  const createTask = makeCreateTask(makeCreateTasks(deps));
  return async (task) => (await createTask(ACTOR, task)).task;
}
