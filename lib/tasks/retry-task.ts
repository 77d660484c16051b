import type { Actor } from '../access/caller.ts';
import { linkSpan } from '../observability/tracing.ts';
import { TaskNotEnded, TaskNotFound } from './errors.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { hasEnded, type Task, type TaskId } from './task.ts';
import { requeueEnded, selectTask } from './task-store.ts';

export type RetryTask = (actor: Actor, id: TaskId) => Promise<Task>;

/** Runs an ended task again, as its next attempt. @throws TaskNotFound, TaskNotEnded */
export function makeRetryTask(deps: PublishDeps): RetryTask {
  return async (actor, id) => {
    for (;;) {
      const owed = await requeueEnded(deps.sql, actor, id);
      const task = await selectTask(deps.sql, actor.tenant, id);
      if (!task) throw new TaskNotFound(id);
      if (owed) {
        // The next attempt is a part of the task's own trace; this request leads there.
        linkSpan(owed.traceparent);
        await publishOwed(deps, [owed]);
        return task;
      }
      if (!hasEnded(task.status)) throw new TaskNotEnded(task);
      // It had not ended, and has since: there is something to retry now.
    }
  };
}
