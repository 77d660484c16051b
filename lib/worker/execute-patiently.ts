import { setTimeout as delay } from 'node:timers/promises';
import { isDatabaseUnavailable } from '../db/unavailable.ts';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';
import { HopelessMessage } from '../queue/task-queue.ts';
import { giveUpSignal } from '../shutdown.ts';
import { TaskNotFound } from '../tasks/errors.ts';
import type { ExecuteTask } from '../tasks/execute-task.ts';
import type { TaskId } from '../tasks/task.ts';
import { tellExecution } from './tell-execution.ts';

const RETRY_MS = 1000;
/** Past every command's time-out (lib/tasks/limits.ts). */
const LONGEST_MS = 900_000;

/**
 * Executes a task as often as it takes until the database answers. A message that is returned comes
 * right back, here or to another worker that has no database either, and would soon have had all its
 * deliveries. One of a task that is not there, since it was deleted, would do so a second at a time,
 * and hold a place meanwhile. @throws HopelessMessage, what waiting does not heal, and anything once `shutdown` has fired
 */
export function makeExecutePatiently(deps: {
  readonly executeTask: ExecuteTask;
  readonly shutdown: AbortSignal;
  readonly logger: Logger;
}): (taskId: TaskId) => Promise<void> {
  const { executeTask, shutdown, logger } = deps;
  return async (taskId) => {
    for (let tries = 1; ; tries++) {
      try {
        using giveUp = giveUpSignal(shutdown, LONGEST_MS);
        return tellExecution(await executeTask(taskId, giveUp.signal), logger);
      } catch (error) {
        if (error instanceof TaskNotFound)
          throw new HopelessMessage(error.message, { cause: error });
        if (!isDatabaseUnavailable(error) || shutdown.aborted) throw error;
        if (tries === 1) logger.warn(inOneLine(error), 'waits for the database');
        await delay(RETRY_MS, undefined, { signal: shutdown }).catch(() => {});
      }
    }
  };
}
