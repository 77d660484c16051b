import * as z from 'zod';
import type { ZodOpenApiResponseObject } from 'zod-openapi';
import { DOCS_ASSETS } from '../docs-page.ts';
import { HealthChecks, LiveDocument, ReadyDocument } from '../health-document.ts';
import { ProblemDocument } from '../problem-document.ts';
import { requestHeader } from './headers.ts';
import type { Operations } from './operation.ts';
import { OPEN_HEADERS, openJson, problems } from './responses.ts';

/** For everybody. */
const OPEN = { security: [], requestParams: { header: z.object(requestHeader.requestId) } };

const ready = {
  ...OPEN,
  tags: ['Health'],
  summary: 'Whether requests can be served',
  description: 'Asks Postgres and the queue.',
  responses: {
    ...problems(),
    200: openJson('Both answer.', ReadyDocument),
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
      responses: { 200: openJson('It does.', LiveDocument), ...problems() },
    },
  },
  '/health/ready': { get: ready },
  '/openapi.json': {
    get: {
      ...OPEN,
      tags: ['Documentation'],
      summary: 'This document',
      responses: {
        200: openJson('OpenAPI 3.1.', z.looseObject({ openapi: z.literal('3.1.1') })),
        ...problems(),
      },
    },
  },
  '/docs': {
    get: {
      ...OPEN,
      tags: ['Documentation'],
      summary: 'A page that shows this document',
      responses: { 200: page('text/html'), ...problems() },
    },
  },
  '/docs/{asset}': {
    get: {
      ...OPEN,
      tags: ['Documentation'],
      operationId: 'getDocsAsset',
      summary: 'What the page is made of',
      requestParams: {
        ...OPEN.requestParams,
        path: z.object({ asset: z.enum(DOCS_ASSETS).meta({ description: 'Its name.' }) }),
      },
      responses: {
        200: {
          ...page('text/css', 'text/javascript', 'image/png'),
          headers: z.object({
            ...OPEN_HEADERS,
            'content-encoding': z.literal('gzip').optional(),
          }),
        },
        ...problems('route_not_found'),
      },
    },
  },
} satisfies Operations<
  '/health/live' | '/health/ready' | '/openapi.json' | '/docs' | '/docs/{asset}'
>;

function page(...mediaTypes: string[]): ZodOpenApiResponseObject {
  return {
    description: 'For a browser.',
    headers: z.object(OPEN_HEADERS),
    content: Object.fromEntries(mediaTypes.map((type) => [type, { schema: z.string() }])),
  };
}
