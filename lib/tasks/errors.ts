import type { TaskId } from './task.ts';

export type TaskErrorCode = 'task_not_found';

/** A request about tasks that cannot be met. Knows nothing of HTTP. */
export abstract class TaskError extends Error {
  abstract readonly code: TaskErrorCode;
}

export class TaskNotFound extends TaskError {
  override readonly name = 'TaskNotFound';
  override readonly code = 'task_not_found';
  readonly taskId: TaskId;

  constructor(taskId: TaskId) {
    super(`There is no task ${taskId}.`);
    this.taskId = taskId;
  }
}
