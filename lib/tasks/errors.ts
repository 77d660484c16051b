import type { Task, TaskId } from './task.ts';

export type TaskErrorCode = 'task_not_found' | 'task_ended' | 'task_not_ended';

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

/** What was asked for makes sense only before a task has ended. */
export class TaskEnded extends TaskError {
  override readonly name = 'TaskEnded';
  override readonly code = 'task_ended';

  constructor({ id, status }: Pick<Task, 'id' | 'status'>) {
    super(`Task ${id} has ended already: it ${status === 'cancelled' ? 'was' : 'has'} ${status}.`);
  }
}

/** What was asked for makes sense only once a task has ended. */
export class TaskNotEnded extends TaskError {
  override readonly name = 'TaskNotEnded';
  override readonly code = 'task_not_ended';

  constructor({ id, status }: Pick<Task, 'id' | 'status'>) {
    super(`Task ${id} has not ended yet: it is ${status}.`);
  }
}
