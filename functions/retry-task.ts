import { apiHandler } from '../lib/http/api-handler.ts';
import { parsePath } from '../lib/http/parse-request.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { accepted } from '../lib/http/response.ts';
import { TaskPath } from '../lib/http/task-requests.ts';
import { viewTask } from '../lib/http/task-view.ts';
import { api } from '../lib/services.ts';

/** `POST /api/tasks/{taskId}/retry`: runs an ended task again. 202; 409 when it has not ended. */
export const handler = apiHandler(
  api,
  { scope: 'write', query: NoQuery },
  async ({ event, caller }, { retryTask }) => {
    const task = await retryTask(caller, parsePath(event, TaskPath).taskId);
    return accepted(viewTask(task), `/api/tasks/${task.id}`);
  },
);
