import type { Sql } from '../db/connection.ts';
import type { AuditAction } from './audit-log.ts';
import type { Tenant } from './caller.ts';

/** Who changed what, from where, and when. */
export interface AuditEntry {
  /** Rises with every entry. */
  readonly id: number;
  readonly at: Date;
  readonly action: AuditAction;
  /** The task, the key or the dead letter that was changed. */
  readonly subject: string;
  /** Null without a key, and on the command line. */
  readonly keyId: string | null;
  readonly keyName: string | null;
  readonly sourceIp: string | null;
  readonly requestId: string;
}

export interface AuditFilter {
  readonly action: AuditAction | undefined;
  readonly subject: string | undefined;
}

export interface AuditPage {
  readonly entries: readonly AuditEntry[];
  /** The next page, if there is one, begins before this id. */
  readonly next: number | undefined;
}

export type ListAudit = (
  tenant: Tenant,
  filter: AuditFilter,
  page: { readonly limit: number; readonly before?: number | undefined },
) => Promise<AuditPage>;

/** The entries of a tenant that match, newest first. */
export function makeListAudit({ sql }: { sql: Sql }): ListAudit {
  return async (tenant, filter, { limit, before }) => {
    // One more than asked for tells whether there is a next page.
    const rows = await sql<AuditEntry[]>`/* listAudit */
      select e.id, e.at, e.action, e.subject, e.key_id as "keyId", k.name as "keyName",
             e.source_ip as "sourceIp", e.request_id as "requestId"
        from errand.audit_log e
        left join errand.api_keys k on k.id = e.key_id
       where e.tenant = ${tenant}
         ${filter.subject === undefined ? sql`` : sql`and e.subject = ${filter.subject}`}
         ${filter.action === undefined ? sql`` : hasAction(sql, filter.action)}
         ${before === undefined ? sql`` : sql`and e.id < ${before}`}
       order by e.id desc
       limit ${limit + 1}`;
    const entries = rows.slice(0, limit);
    return { entries, next: rows.length > limit ? entries.at(-1)?.id : undefined };
  };
}

/** Says twice what it is not, for the planner to see that the index of the rarer actions will do. */
function hasAction(sql: Sql, action: AuditAction) {
  if (action === 'task.create') return sql`and e.action = ${action}`;
  return sql`and e.action = ${action} and e.action <> 'task.create'`;
}
