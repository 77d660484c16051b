import { httpHandler } from '../lib/http/http-handler.ts';
import { parsePath } from '../lib/http/parse-request.ts';
import { ok } from '../lib/http/response.ts';
import { TaskPath } from '../lib/http/task-requests.ts';
import { viewTask } from '../lib/http/task-view.ts';
import { tenantOf } from '../lib/http/tenant.ts';
import { api } from '../lib/services.ts';
import { TaskNotFound } from '../lib/tasks/errors.ts';

/** `GET /api/tasks/{taskId}`: one task with its output. Query parameters are ignored. */
export const handler = httpHandler(api, async (event, { findTask }) => {
  const { taskId } = parsePath(event, TaskPath);
  const task = await findTask(tenantOf(event), taskId);
  if (!task) throw new TaskNotFound(taskId);
  return ok(viewTask(task));
});
