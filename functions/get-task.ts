import { apiHandler } from '../lib/http/api-handler.ts';
import { etagOf, isKnown, notModified } from '../lib/http/etag.ts';
import { parsePath } from '../lib/http/parse-request.ts';
import { ok } from '../lib/http/response.ts';
import { TaskPath } from '../lib/http/task-requests.ts';
import { viewTask } from '../lib/http/task-view.ts';
import { TaskQuery, waitOf } from '../lib/http/wait.ts';
import { api } from '../lib/services.ts';

/**
 * `GET /api/tasks/{taskId}`: one task with its output; `wait=N` waits for its end. 304 when the
 * caller has it already, and it has ended.
 */
export const handler = apiHandler(
  api,
  { scope: 'read', query: TaskQuery },
  async ({ event, caller, query }, { findTask }) => {
    const { taskId } = parsePath(event, TaskPath);
    const wait = waitOf(event, query);
    const task = await findTask(caller.tenant, taskId, wait.ms);
    const etag = etagOf(task);
    if (etag && isKnown(etag, event)) return notModified(etag);
    return ok(viewTask(task), { ...wait.headers, ...(etag && { etag }) });
  },
);
