import { apiHandler } from '../lib/http/api-handler.ts';
import { idempotencyKeyOf } from '../lib/http/idempotency-key.ts';
import { NewTasksRequest } from '../lib/http/new-task-request.ts';
import { parseBody } from '../lib/http/parse-request.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { accepted } from '../lib/http/response.ts';
import { viewSummary } from '../lib/http/task-view.ts';
import { api } from '../lib/services.ts';

/** `POST /api/tasks/batch`: accepts many commands, all of them or none. 202 with the tasks. */
export const handler = apiHandler(
  api,
  { scope: 'write', query: NoQuery },
  async ({ event, caller }, { createTasks }) => {
    const { tasks: newTasks } = parseBody(event, NewTasksRequest);
    const { tasks, replayed } = await createTasks(caller, newTasks, idempotencyKeyOf(event));
    return accepted(
      { items: tasks.map(viewSummary) },
      '/api/tasks',
      replayed ? { 'idempotent-replayed': 'true' } : {},
    );
  },
);
