import { isUtf8 } from 'node:buffer';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as z from 'zod';
import { type FieldError, HttpProblem } from './problem.ts';

/** Far above what a valid task takes (lib/tasks/limits.ts), and below Lambda's 6 MB. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;

/** A body of nothing but mistakes would otherwise be answered with more than Lambda's 6 MB. */
const MAX_COMPLAINTS = 20;
const MAX_PATH_CHARACTERS = 200;

/**
 * Reads a JSON body and checks it.
 * @throws HttpProblem 413, 415, or 400 that names every field that is wrong
 */
export function parseBody<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  return check(parseJsonBody(event), schema);
}

/** The body before it is checked. @throws HttpProblem 400, 413, 415 */
export function parseJsonBody(event: APIGatewayProxyEventV2): unknown {
  requireJson(event.headers);
  return parseJson(readBody(event));
}

/** The same, for a body that may be left out: then it counts as `{}`. */
export function parseOptionalBody<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  return event.body ? parseBody(event, schema) : check({}, schema);
}

/** The path parameters, checked. @throws HttpProblem 400 */
export function parsePath<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  return check(event.pathParameters ?? {}, schema);
}

/** The query, checked; a repeated parameter is an array. @throws HttpProblem 400 that names the known ones */
export function parseQuery<T>(event: APIGatewayProxyEventV2, schema: z.ZodType<T>): T {
  const params = new URLSearchParams(event.rawQueryString);
  const query = Object.fromEntries(
    Array.from(new Set(params.keys()), (name) => {
      const values = params.getAll(name);
      return [name, values.length === 1 ? values[0] : values];
    }),
  );
  const known = namesIn(schema);
  const takes = known.length > 0 ? `known are ${known.join(', ')}` : 'there are none here';
  return check(query, schema, `is not a known parameter: ${takes}`);
}

/** The parameters of a query, whatever is made of them. */
function namesIn(schema: unknown): string[] {
  if (schema instanceof z.ZodPipe) return namesIn(schema.in);
  return schema instanceof z.ZodObject ? Object.keys(schema.shape) : [];
}

function requireJson(headers: APIGatewayProxyEventV2['headers']): void {
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new HttpProblem('unsupported_media_type', `Send the body as it is, not as ${encoding}.`);
  }
  const [mediaType, ...parameters] = (headers['content-type'] ?? '')
    .split(';')
    .map((part) => part.trim().toLowerCase());
  const charset = parameters.find((parameter) => parameter.startsWith('charset='));
  if (charset !== undefined && !/^charset="?utf-?8"?$/.test(charset)) {
    throw new HttpProblem('unsupported_media_type', `The body must be UTF-8, not ${charset}.`);
  }
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
  if (!isUtf8(bytes)) throw new HttpProblem('malformed_json', 'The body is not UTF-8.');
  return bytes.toString('utf8').replace(/^\uFEFF/, '');
}

function parseJson(text: string): unknown {
  if (text === '') {
    throw new HttpProblem('malformed_json', 'The body is empty; a JSON object is expected.');
  }
  try {
    return MAY_NAME_PROTO.test(text) ? JSON.parse(text, refuseProto) : JSON.parse(text);
  } catch (error) {
    if (error instanceof HttpProblem) throw error;
    const reason = error instanceof SyntaxError ? error.message : 'it is nested too deeply';
    throw new HttpProblem('malformed_json', `Not JSON: ${reason}`);
  }
}

/** Also with escaped letters (`__pr\u006fto__`). Looking first is cheap; a reviver sees every value. */
const MAY_NAME_PROTO = /__proto__|\\u00(?:5f|7[024]|6f)/i;

/** Half of all code would lose such a field silently, or worse. Nobody needs it as a name. */
function refuseProto(key: string, value: unknown): unknown {
  if (key !== '__proto__') return value;
  throw new HttpProblem('invalid_request', '__proto__: must not be a name', {
    errors: [{ path: '__proto__', message: 'must not be a name' }],
  });
}

function check<T>(value: unknown, schema: z.ZodType<T>, unknown = 'is not a known field'): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.flatMap((issue) => fieldErrors(issue, unknown));
  throw new HttpProblem('invalid_request', summaryOf(errors), {
    errors: errors.slice(0, MAX_COMPLAINTS),
  });
}

function summaryOf(errors: readonly FieldError[]): string {
  const [first, ...others] = errors;
  if (first && others.length === 0) return `${first.path || 'The request'}: ${first.message}`;
  const listed = errors.length > MAX_COMPLAINTS ? `the first ${MAX_COMPLAINTS} are in` : 'see';
  return `${errors.length} fields are wrong; ${listed} "errors".`;
}

function fieldErrors(issue: z.core.$ZodIssue, unknown: string): FieldError[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: pathOf([...issue.path, key]),
      message: unknown,
    }));
  }
  return [{ path: pathOf(issue.path), message: issue.message }];
}

function pathOf(names: readonly PropertyKey[]): string {
  const path = names.join('.');
  return path.length > MAX_PATH_CHARACTERS ? `${path.slice(0, MAX_PATH_CHARACTERS)}...` : path;
}
