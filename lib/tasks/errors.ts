import type { Refusal } from '../policy/check-command.ts';
import type { Task, TaskId } from './task.ts';

export type TaskErrorCode =
  | 'task_not_found'
  | 'attempt_not_found'
  | 'dead_letter_not_found'
  | 'task_ended'
  | 'task_not_ended'
  | 'idempotency_key_reused'
  | 'command_not_allowed';

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

export class AttemptNotFound extends TaskError {
  override readonly name = 'AttemptNotFound';
  override readonly code = 'attempt_not_found';

  constructor(taskId: TaskId, attempt: number, newest: number) {
    const has = newest === 0 ? 'it has not been started yet' : `its newest one is ${newest}`;
    super(`Task ${taskId} has no attempt ${attempt}: ${has}.`);
  }
}

/** Also of a letter that was sent back before: who asks again learns that it is not there any more. */
export class DeadLetterNotFound extends TaskError {
  override readonly name = 'DeadLetterNotFound';
  override readonly code = 'dead_letter_not_found';

  constructor(id: string) {
    super(
      `There is no dead letter ${id}, or no more: it may have been sent back, or somebody else looks ` +
        'at it right now, which hides it for half a minute at most.',
    );
  }
}

/** The same `Idempotency-Key` came with another body. */
export class IdempotencyKeyReused extends TaskError {
  override readonly name = 'IdempotencyKeyReused';
  override readonly code = 'idempotency_key_reused';

  constructor(key: string) {
    super(
      `The Idempotency-Key "${key}" was used for another request. Send the same body, or a new key.`,
    );
  }
}

/** A command that the policy refuses. */
export interface RefusedCommand extends Refusal {
  /** Which of the commands that were to be created together, from 0. */
  readonly index: number;
}

/** The command policy of this deployment refuses commands. */
export class CommandNotAllowed extends TaskError {
  override readonly name = 'CommandNotAllowed';
  override readonly code = 'command_not_allowed';
  readonly first: RefusedCommand;
  /** Every one of them. */
  readonly refused: readonly RefusedCommand[];

  constructor(refused: readonly [RefusedCommand, ...RefusedCommand[]], commands: number) {
    const [first] = refused;
    super(
      refused.length === 1
        ? first.reason
        : `${refused.length} of ${commands} commands are not allowed; "refused" tells which. ` +
            `The first of them: ${first.reason}`,
    );
    this.first = first;
    this.refused = refused;
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
