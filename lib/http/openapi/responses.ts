import * as z from 'zod';
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi';
import { PROBLEMS, type ProblemCode } from '../problem.ts';
import { ProblemDocument } from '../problem-document.ts';
import { header } from './headers.ts';

/** Headers of every answer of the API, as far as it knows whose request it is. */
export const API_HEADERS = {
  'x-request-id': header.requestId,
  ratelimit: header.rateLimit,
  'ratelimit-policy': header.rateLimitPolicy,
};

/** Headers of the answers to everybody. */
export const OPEN_HEADERS = { 'x-request-id': header.requestId };

/** An answer of the API with a JSON document. */
export function json(
  description: string,
  schema: z.ZodType,
  headers: z.ZodRawShape = {},
): ZodOpenApiResponseObject {
  return openJson(description, schema, { ...API_HEADERS, ...headers });
}

export function openJson(
  description: string,
  schema: z.ZodType,
  headers: z.ZodRawShape = OPEN_HEADERS,
): ZodOpenApiResponseObject {
  return {
    description,
    headers: z.object(headers),
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
  return byStatus([...codes, ...API], API_HEADERS);
}

/** The same for a route that is open to everybody. */
export function problems(...codes: ProblemCode[]): ZodOpenApiResponsesObject {
  return byStatus(codes, OPEN_HEADERS);
}

function byStatus(
  codes: readonly ProblemCode[],
  headers: z.ZodRawShape,
): ZodOpenApiResponsesObject {
  const all = Map.groupBy([...codes, ...EVERYWHERE], (code) => PROBLEMS[code].status);
  return Object.fromEntries(
    Array.from(all, ([status, some]) => [`${status}`, problem(status, some, headers)]),
  );
}

function problem(
  status: number,
  codes: readonly ProblemCode[],
  headers: z.ZodRawShape,
): ZodOpenApiResponseObject {
  const these = z.object({
    status: z.literal(status),
    code: z.enum(codes as [ProblemCode, ...ProblemCode[]]),
  });
  return {
    description: codes.map((code) => `${PROBLEMS[code].title} (\`${code}\`)`).join(', or '),
    headers: z.object({
      ...headers,
      ...((status === 503 || status === 429) && { 'retry-after': header.retryAfter }),
      ...(status === 401 && { 'www-authenticate': header.challenge }),
    }),
    content: { 'application/problem+json': { schema: z.intersection(ProblemDocument, these) } },
  };
}
