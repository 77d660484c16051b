import { apiHandler } from '../lib/http/api-handler.ts';
import { idempotencyKeyOf } from '../lib/http/idempotency-key.ts';
import { NewTaskRequest } from '../lib/http/new-task-request.ts';
import { parseBody } from '../lib/http/parse-request.ts';
import { accepted, ok } from '../lib/http/response.ts';
import { viewNewTask, viewTask } from '../lib/http/task-view.ts';
import { WaitQuery, waitOf } from '../lib/http/wait.ts';
import { addToLog } from '../lib/observability/log-context.ts';
import { describeSpan } from '../lib/observability/tracing.ts';
import { api } from '../lib/services.ts';
import { hasEnded } from '../lib/tasks/task.ts';

/**
 * `POST /api/tasks`: accepts a command to run later. 202 with the task, or 200 when it has ended
 * within the time that the caller wants to wait. An idempotency key gives the same task again.
 */
export const handler = apiHandler(
  api,
  { scope: 'write', query: WaitQuery },
  async ({ event, caller, query }, services) => {
    const wait = waitOf(event, query);
    const newTask = parseBody(event, NewTaskRequest);
    const created = await services.createTask(caller, newTask, idempotencyKeyOf(event));
    addToLog({ taskId: created.task.id });
    describeSpan({ 'errand.task.id': created.task.id });
    const location = `/api/tasks/${created.task.id}`;
    const headers = {
      ...wait.headers,
      ...(created.replayed && { 'idempotent-replayed': 'true' }),
    };
    if (wait.ms === 0 && !created.replayed) {
      return accepted(viewNewTask(created.task), location, headers);
    }
    const task = await services.findTask(caller.tenant, created.task.id, wait.ms);
    if (wait.ms > 0 && hasEnded(task.status)) return ok(viewTask(task), { location, ...headers });
    return accepted(viewTask(task), location, headers);
  },
);
