import type { Sql } from '../db/connection.ts';
import type { Actor } from './caller.ts';

/** What may be done. Each one is a change; reading is not kept. */
export const AUDIT_ACTIONS = [
  'task.create',
  'task.cancel',
  'task.retry',
  'dead_letters.redrive',
  'key.create',
  'key.rotate',
  'key.revoke',
] as const;
export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/**
 * A part of a statement that keeps who did what: `with ..., audited as (${audit(...)}) ...`. So the
 * change and its entry are committed together, and one of them never stands without the other.
 * `subjects` selects the ids of what was changed, one row each.
 */
export function audit(sql: Sql, actor: Actor, action: AuditAction, subjects: ReturnType<Sql>) {
  return sql`
    insert into errand.audit_log (tenant, key_id, action, subject, source_ip, request_id)
    select ${actor.tenant}, ${actor.keyId}, ${action}, subject, ${actor.sourceIp}::inet,
           ${actor.requestId}
      from (${subjects}) as changed (subject)`;
}
