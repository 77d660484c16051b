import { apiHandler } from '../lib/http/api-handler.ts';
import { parsePath } from '../lib/http/parse-request.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { accepted } from '../lib/http/response.ts';
import { TaskPath } from '../lib/http/task-requests.ts';
import { viewTask } from '../lib/http/task-view.ts';
import { api } from '../lib/services.ts';

/** `POST /api/tasks/{taskId}/cancel`: 202 with the task; 409 when it has ended. */
export const handler = apiHandler(
  api,
  { scope: 'write', query: NoQuery },
  async ({ event, caller }, { cancelTask }) => {
    const task = await cancelTask(caller, parsePath(event, TaskPath).taskId);
    return accepted(viewTask(task), `/api/tasks/${task.id}`);
  },
);
