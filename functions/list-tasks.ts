import { httpHandler } from '../lib/http/http-handler.ts';
import { parseQuery } from '../lib/http/parse-request.ts';
import { ok } from '../lib/http/response.ts';
import { pageOf } from '../lib/http/task-page.ts';
import { ListTasksQuery } from '../lib/http/task-requests.ts';
import { tenantOf } from '../lib/http/tenant.ts';
import { api } from '../lib/services.ts';

/** `GET /api/tasks`: tasks, newest first, without their output. */
export const handler = httpHandler(api, async (event, { listTasks }) => {
  const { limit, cursor } = parseQuery(event, ListTasksQuery);
  // One more than asked for tells whether there is a next page.
  const tasks = await listTasks(tenantOf(event), {
    limit: limit + 1,
    ...(cursor && { after: cursor }),
  });
  return ok(pageOf(tasks, limit));
});
