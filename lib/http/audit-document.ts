import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.
import { AUDIT_ACTIONS } from '../access/audit-log.ts';

export const AuditDocument = z
  .object({
    items: z.array(
      z
        .object({
          id: z.int().min(1).meta({ description: 'Rises with every entry.' }),
          at: z.date(),
          action: z.enum(AUDIT_ACTIONS),
          subject: z.string().meta({ description: 'The task, key or dead letter it was done to.' }),
          keyId: z.string().nullable().meta({ description: 'Null where no key was asked for.' }),
          keyName: z.string().nullable(),
          sourceIp: z.string().nullable(),
          requestId: z.string().meta({ description: 'As in the `X-Request-Id` of its answer.' }),
        })
        .meta({ id: 'AuditEntry' }),
    ),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'AuditPage', description: 'Who changed what, newest first.' });
