import * as z from 'zod';
import { AUDIT_ACTIONS } from '../access/audit-log.ts';
import { once, textUpTo } from './query-fields.ts';
import { limitUpTo200 } from './task-requests.ts';

const UUID = /^[0-9a-f-]{36}$/i;

const cursor = once.transform((text, context): number => {
  const [, id] = /^(\d{1,15})$/.exec(Buffer.from(text, 'base64url').toString()) ?? [];
  if (id !== undefined) return Number(id);
  context.addIssue({ code: 'custom', message: 'must be the "nextCursor" of an earlier answer' });
  return z.NEVER;
});

/** Points behind the last entry of a page. Opaque to clients, so that the order can change. */
export function auditCursorAfter(id: number): string {
  return Buffer.from(String(id)).toString('base64url');
}

/** Query of `GET /api/audit`. */
export const AuditQuery = z
  .strictObject({
    action: z
      .enum(AUDIT_ACTIONS, { error: `must be one of ${AUDIT_ACTIONS.join(', ')}` })
      .optional()
      .meta({ description: 'Changes of this kind.' }),
    subject: textUpTo(200)
      // Ids are in lower case, and taken in any.
      .transform((text) => (UUID.test(text) ? text.toLowerCase() : text))
      .optional()
      .meta({ description: 'Changes of this task, key or dead letter.' }),
    limit: limitUpTo200,
    cursor: cursor.optional().meta({
      description: 'The page after the one whose `nextCursor` this was.',
    }),
  })
  .transform(({ action, subject, limit, cursor: before }) => ({
    filter: { action, subject },
    page: { limit, before },
  }));
