import { apiHandler } from '../lib/http/api-handler.ts';
import { AuditQuery, auditCursorAfter } from '../lib/http/audit-requests.ts';
import { ok } from '../lib/http/response.ts';
import { api } from '../lib/services.ts';

/** `GET /api/audit`: who changed what of the tenant, newest first. */
export const handler = apiHandler(
  api,
  { scope: 'admin', query: AuditQuery },
  async ({ query, caller }, { listAudit }) => {
    const { filter, page } = query;
    const { entries, next } = await listAudit(caller.tenant, filter, page);
    return ok({ items: entries, nextCursor: next === undefined ? null : auditCursorAfter(next) });
  },
);
