import { beforeAll, describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import { type AuditFilter, makeListAudit } from '../../lib/access/list-audit.ts';
import { useDatabase } from '../support/database.ts';
import { explained } from '../support/explained.ts';

const database = useDatabase();
const TENANT = 'acme' as Tenant;
const ENTRIES = 50_000;
const LIMIT = 50;

/** One in 20 is the tenant's, one in 1,000 a cancel; three are about the same task, far apart. */
beforeAll(async () => {
  await database.sql`
    insert into errand.audit_log (tenant, action, subject, request_id)
    select case when n % 20 = 0 then ${TENANT} else 'other' end,
           case when n % 1000 = 0 then 'task.cancel' else 'task.create' end,
           case when n in (20, 25000, 49980) then 'the task' else 'task ' || n end, 'r'
      from generate_series(1, ${ENTRIES}::int) as n`;
  await database.sql`analyze errand.audit_log`;
}, 60_000);

describe('a page of a long audit log', () => {
  it.each([
    ['of all entries', {}, 50, 'audit_log_by_tenant'],
    ['of nearly all of them', { action: 'task.create' }, 50, 'audit_log_by_tenant'],
    ['of a rare action', { action: 'task.cancel' }, 50, 'audit_log_by_action'],
    ['of one task', { subject: 'the task' }, 3, 'audit_log_by_subject'],
    ['of what never happened', { action: 'key.revoke' }, 0, 'audit_log_by_action'],
  ] satisfies [string, Partial<AuditFilter>, number, string][])(
    '%s reads little more than it gives',
    async (_which, fields, count, index) => {
      const filter = { action: undefined, subject: undefined, ...fields };
      const list = makeListAudit(database);
      const page = await list(TENANT, filter, { limit: LIMIT });
      expect(page.entries).toHaveLength(count);

      const nodes = await explained(database.sql, (sql) =>
        makeListAudit({ sql })(TENANT, filter, { limit: LIMIT }),
      );
      expect(nodes.map((node) => node['Index Name'])).toContain(index);
      const rows = nodes.map((node) => node['Actual Rows'] * node['Actual Loops']);
      expect(Math.max(...rows)).toBeLessThanOrEqual(2 * LIMIT);
    },
  );
});
