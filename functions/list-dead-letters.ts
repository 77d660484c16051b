import { apiHandler } from '../lib/http/api-handler.ts';
import { DeadLettersQuery } from '../lib/http/dead-letter-requests.ts';
import { ok } from '../lib/http/response.ts';
import { api } from '../lib/services.ts';

/** `GET /api/dead-letters`: messages of the tenant's tasks that the queue gave up on. */
export const handler = apiHandler(
  api,
  { scope: 'admin', query: DeadLettersQuery },
  async ({ query, caller }, { listDeadLetters }) => {
    return ok({ items: await listDeadLetters(caller.tenant, query.limit) });
  },
);
