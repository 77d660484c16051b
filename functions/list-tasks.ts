import { apiHandler } from '../lib/http/api-handler.ts';
import { ok } from '../lib/http/response.ts';
import { viewPage } from '../lib/http/task-page.ts';
import { ListTasksQuery } from '../lib/http/task-requests.ts';
import { api } from '../lib/services.ts';

/** `GET /api/tasks`: the tasks that match, newest first, without their output. */
export const handler = apiHandler(
  api,
  { scope: 'read', query: ListTasksQuery },
  async ({ query, caller }, { listTasks }) => {
    const { filter, ...page } = query;
    return ok(viewPage(await listTasks(caller.tenant, filter, page)));
  },
);
