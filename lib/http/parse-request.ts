import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import type { z } from 'zod';
import { type FieldError, HttpProblem } from './problem.ts';

/** Far above what a valid task takes (lib/tasks/limits.ts), far below Lambda's 6 MB. */
const MAX_BODY_BYTES = 1024 * 1024;

/**
 * Reads a JSON body and checks it.
 * @throws HttpProblem 413, 415, or 400 that names every field that is wrong
 */
export function parseBody<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  requireJson(event.headers['content-type']);
  return check(parseJson(readBody(event)), schema);
}

/** The same, for a body that may be left out: then it counts as `{}`. */
export function parseOptionalBody<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  return event.body ? parseBody(event, schema) : check({}, schema);
}

/** The path parameters, checked. @throws HttpProblem 400 */
export function parsePath<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  return check(event.pathParameters ?? {}, schema);
}

/** The query, checked; a repeated parameter is an array. @throws HttpProblem 400 */
export function parseQuery<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  const query: Record<string, string | string[]> = {};
  const params = new URLSearchParams(event.rawQueryString);
  for (const name of new Set(params.keys())) {
    const values = params.getAll(name);
    query[name] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return check(query, schema);
}

function requireJson(contentType: string | undefined): void {
  const mediaType = contentType?.split(';')[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw new HttpProblem(
    'unsupported_media_type',
    `The body must be JSON: send the header "Content-Type: application/json"` +
      (mediaType ? ` instead of "${mediaType}".` : '.'),
  );
}

function readBody({ body = '', isBase64Encoded }: APIGatewayProxyEventV2): string {
  const bytes = Buffer.from(body ?? '', isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > MAX_BODY_BYTES) {
    throw new HttpProblem(
      'body_too_large',
      `The body has ${bytes.length} bytes; at most ${MAX_BODY_BYTES} are allowed.`,
    );
  }
  return bytes.toString('utf8');
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new HttpProblem(
      'malformed_json',
      text === '' ? 'The body is empty; a JSON object is expected.' : `Not JSON: ${reason}`,
    );
  }
}

function check<T>(value: unknown, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap(fieldErrors);
  const first = errors[0];
  throw new HttpProblem(
    'invalid_request',
    errors.length === 1 && first
      ? `${first.path || 'The request'}: ${first.message}`
      : `${errors.length} fields are wrong; see "errors".`,
    { errors },
  );
}

function fieldErrors(issue: z.core.$ZodIssue): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...issue.path, key].join('.'),
      message: 'is not a known field',
    }));
  }
  return [{ path: issue.path.join('.'), message: issue.message }];
}
