import * as z from 'zod';
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { PROBLEMS, type ProblemCode } from '../problem.ts';
import { ProblemDocument } from '../problem-document.ts';
import { header } from './headers.ts';

/** An answer with a JSON document. */
export function json(
  description: string,
  schema: z.ZodType,
  headers: z.ZodRawShape = {},
): ZodOpenApiResponseObject {
  return {
    description,
    headers: z.object({ 'x-request-id': header.requestId, ...headers }),
    content: { 'application/json': { schema } },
  };
}

/** Every request may end like this, before any function does its work. */
const EVERYWHERE = ['cross_origin', 'unknown_host', 'internal_error', 'unavailable'] as const;

/** What functions of the API answer to those whom they do not serve. */
const API = ['unauthenticated', 'insufficient_scope', 'not_acceptable', 'rate_limited'] as const;

/** What may be wrong with a body. */
export const BODY = [
  'invalid_request',
  'malformed_json',
  'body_too_large',
  'unsupported_media_type',
] as const;

/** The problems that a route of the API answers, by status: these and those of all. */
export function apiProblems(...codes: ProblemCode[]): ZodOpenApiResponsesObject {
  return problems(...codes, ...API);
}

export function problems(...codes: ProblemCode[]): ZodOpenApiResponsesObject {
  const all = [...codes, ...EVERYWHERE];
  const byStatus = Map.groupBy(all, (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    Array.from(byStatus, ([status, some]) => [`${status}`, problem(status, some)]),
  );
}

function problem(status: number, codes: readonly ProblemCode[]): ZodOpenApiResponseObject {
  const these = z.object({
    status: z.literal(status),
    code: z.enum(codes as [ProblemCode, ...ProblemCode[]]),
  });
  return {
    description: codes.map((code) => `${PROBLEMS[code].title} (\`${code}\`)`).join(', or '),
    headers: z.object({
      'x-request-id': header.requestId,
      ...((status === 503 || status === 429) && { 'retry-after': header.retryAfter }),
      ...(status === 401 && { 'www-authenticate': header.challenge }),
    }),
    content: { 'application/problem+json': { schema: z.intersection(ProblemDocument, these) } },
  };
}
