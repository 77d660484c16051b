import { apiHandler } from '../lib/http/api-handler.ts';
import { OutputQuery } from '../lib/http/output-requests.ts';
import { rawOutput, viewOutput } from '../lib/http/output-view.ts';
import { parsePath } from '../lib/http/parse-request.ts';
import { ok } from '../lib/http/response.ts';
import { TaskPath } from '../lib/http/task-requests.ts';
import { api } from '../lib/services.ts';

/**
 * Of one answer, which ends with the chunk that reaches it. As JSON, small chunks can grow sixfold,
 * and the last one may have 2 MiB as base64: all of that has to fit into the 6 MB of Lambda.
 */
const MAX_BYTES = 400 * 1024;

/**
 * `GET /api/tasks/{taskId}/output`: what a command writes, while it writes. `after` and `wait`
 * follow it; `Accept: text/plain` gives the bytes themselves.
 */
export const handler = apiHandler(
  api,
  { scope: 'read', query: OutputQuery, produces: ['application/json', 'text/plain'] },
  async ({ event, caller, query, mediaType }, { readOutput }) => {
    const { taskId } = parsePath(event, TaskPath);
    const { after, attempt, wait } = query;
    const page = await readOutput(caller.tenant, taskId, {
      after,
      attempt,
      waitMs: wait * 1000,
      maxBytes: MAX_BYTES,
    });
    return mediaType === 'text/plain' ? rawOutput(page) : ok(viewOutput(page));
  },
);
