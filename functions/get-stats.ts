import { apiHandler } from '../lib/http/api-handler.ts';
import { NoQuery } from '../lib/http/query-fields.ts';
import { ok } from '../lib/http/response.ts';
import { api } from '../lib/services.ts';

/** `GET /api/stats`: how many tasks there are, how they fare, and what the queue holds. */
export const handler = apiHandler(
  api,
  { scope: 'read', query: NoQuery },
  async ({ caller }, { readStats }) =>
    // The queue is one for all tenants. Where there are keys, its figures are nobody's alone.
    ok(await readStats(caller.tenant, { wholeQueue: caller.keyId === null })),
);
