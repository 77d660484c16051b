import { httpHandler } from '../lib/http/http-handler.ts';
import { NewTaskRequest } from '../lib/http/new-task-request.ts';
import { parseBody } from '../lib/http/parse-request.ts';
import { accepted } from '../lib/http/response.ts';
import { viewTask } from '../lib/http/task-view.ts';
import { tenantOf } from '../lib/http/tenant.ts';
import { api } from '../lib/services.ts';

/** `POST /api/tasks`: accepts a command to run later. 202 with the task. */
export const handler = httpHandler(api, async (event, { createTask }) => {
  const task = await createTask(tenantOf(event), parseBody(event, NewTaskRequest));
  return accepted(viewTask({ ...task, attempts: [], output: null }), `/api/tasks/${task.id}`);
});
