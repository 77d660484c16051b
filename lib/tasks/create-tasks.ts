import { v7 as uuidv7 } from 'uuid';
import type { Actor } from '../access/caller.ts';
import { count } from '../observability/metrics.ts';
import type { CheckCommand } from '../policy/check-command.ts';
import { CommandNotAllowed, IdempotencyKeyReused, type RefusedCommand } from './errors.ts';
import { findKeyUse, type IdempotencyKey, insertTasks } from './insert-tasks.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import type { NewTask, TaskId, TaskSummary } from './task.ts';
import { findSummaries } from './task-store.ts';

export interface CreatedTasks {
  /** In the order of the request. */
  readonly tasks: readonly TaskSummary[];
  /** They had been created before, under the same idempotency key. */
  readonly replayed: boolean;
}

export type CreateTask = (
  actor: Actor,
  newTask: NewTask,
  idempotency?: IdempotencyKey,
) => Promise<{ readonly task: TaskSummary; readonly replayed: boolean }>;

export type CreateTasks = (
  actor: Actor,
  newTasks: readonly NewTask[],
  idempotency?: IdempotencyKey,
) => Promise<CreatedTasks>;

export interface CreateTasksDeps extends PublishDeps {
  /** Undefined: any command is allowed. */
  readonly checkCommand?: CheckCommand | undefined;
}

/** Accepts one command to run later. @throws IdempotencyKeyReused */
export function makeCreateTask(createTasks: CreateTasks): CreateTask {
  return async (actor, newTask, idempotency) => {
    const { tasks, replayed } = await createTasks(actor, [newTask], idempotency);
    const [task] = tasks;
    // Somebody deletes tasks by hand, right now.
    if (!task) throw new Error('the task was deleted as soon as it was stored');
    return { task, replayed };
  };
}

/**
 * Accepts commands to run later, all of them or none. Once this resolves the tasks are committed,
 * together with outbox rows for their messages. A broker that is away does not matter: the relay
 * publishes later. @throws IdempotencyKeyReused, CommandNotAllowed
 */
export function makeCreateTasks(deps: CreateTasksDeps): CreateTasks {
  const { sql, checkCommand } = deps;

  return async (actor, newTasks, idempotency) => {
    if (checkCommand) await refuseDisallowed(checkCommand, newTasks);
    const tasks = newTasks.map((task) => ({ ...task, id: uuidv7() as TaskId }));
    for (;;) {
      const inserted = await insertTasks(sql, actor, tasks, idempotency);
      if (inserted) {
        count('errand_tasks_created_total', {}, inserted.tasks.length);
        await publishOwed(deps, inserted.owed);
        return { tasks: inserted.tasks, replayed: false };
      }
      if (!idempotency) throw new Error('tasks were not stored, and nothing said why');
      const replayed = await replay(actor, idempotency);
      if (replayed) return { tasks: replayed, replayed: true };
      // Its tasks were deleted in between: the key is free again.
    }
  };

  async function replay(actor: Actor, { key, requestHash }: IdempotencyKey) {
    const use = await findKeyUse(sql, actor, key);
    if (!use) return undefined;
    if (!use.requestHash.equals(requestHash)) throw new IdempotencyKeyReused(key);
    return findSummaries(sql, actor.tenant, use.taskIds);
  }
}

async function refuseDisallowed(check: CheckCommand, newTasks: readonly NewTask[]): Promise<void> {
  const refused: RefusedCommand[] = [];
  for (const [index, newTask] of newTasks.entries()) {
    const refusal = await check(newTask);
    if (refusal) refused.push({ ...refusal, index });
  }
  const [first, ...others] = refused;
  if (first) throw new CommandNotAllowed([first, ...others], newTasks.length);
}
