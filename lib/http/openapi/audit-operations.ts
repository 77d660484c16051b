import * as z from 'zod';
import { AuditDocument } from '../audit-document.ts';
import { AuditQuery } from '../audit-requests.ts';
import { requestHeader } from './headers.ts';
import { needs, type Operations } from './operation.ts';
import { apiProblems, json } from './responses.ts';

export const auditOperations = {
  '/api/audit': {
    get: {
      ...needs('admin'),
      tags: ['Audit'],
      summary: 'See who changed what',
      description: 'Every change of tasks and keys, newest first.',
      requestParams: { query: AuditQuery, header: z.object(requestHeader.requestId) },
      responses: {
        200: json('A page of entries.', AuditDocument),
        ...apiProblems('invalid_request'),
      },
    },
  },
} satisfies Operations<'/api/audit'>;
