import { z } from 'zod';
import { HealthChecks, LiveDocument, ReadyDocument } from '../health-document.ts';
import { ProblemDocument } from '../problem-document.ts';
import { requestHeader } from './headers.ts';
import type { Operations } from './operation.ts';
import { json, problems } from './responses.ts';

/** For everybody. */
const OPEN = { security: [], requestParams: { header: z.object(requestHeader.requestId) } };

const ready = {
  ...OPEN,
  tags: ['Health'],
  summary: 'Whether requests can be served',
  description: 'Asks Postgres and the queue.',
  responses: {
    ...problems(),
    200: json('Both answer.', ReadyDocument),
    503: {
      description: 'Not all of them answer; `checks` tells which.',
      content: {
        'application/problem+json': {
          schema: z.intersection(ProblemDocument, z.object({ checks: HealthChecks.optional() })),
        },
      },
    },
  },
};

export const serviceOperations = {
  '/health/live': {
    get: {
      ...OPEN,
      tags: ['Health'],
      summary: 'Whether this process answers',
      responses: { 200: json('It does.', LiveDocument), ...problems() },
    },
  },
  '/health/ready': { get: ready },
  '/openapi.json': {
    get: {
      ...OPEN,
      tags: ['Documentation'],
      summary: 'This document',
      responses: {
        200: json('OpenAPI 3.1.', z.looseObject({ openapi: z.literal('3.1.1') })),
        ...problems(),
      },
    },
  },
} satisfies Operations<'/health/live' | '/health/ready' | '/openapi.json'>;
