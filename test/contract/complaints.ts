import type { oas31 } from 'zod-openapi';
import { isAsDescribed } from './described.ts';
import type { OpenApi, Operation, Schema } from './openapi-document.ts';
import type { WireRequest } from './requests.ts';

/** An answer as it came over the wire. */
export interface WireAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Headers that need no description: HTTP's own, and those that every answer has. */
const COMMON = new Set([
  ...['cache-control', 'connection', 'content-length', 'content-type', 'date', 'keep-alive'],
  ...['transfer-encoding', 'vary', 'accept-ranges'],
  ...['content-security-policy', 'cross-origin-resource-policy', 'referrer-policy'],
  ...['x-content-type-options', 'x-frame-options'],
]);

/** What is refused for reasons that JSON Schema has no words for. */
const BEYOND_JSON_SCHEMA =
  /longer than \d+ bytes|\d+ bytes of text|lone surrogate|each key once|more than a year ahead|"nextCursor"|must not be a name/;

/** What of an answer is not as the document says; nothing when all is well. */
export function complaintsAbout(
  openApi: OpenApi,
  request: WireRequest,
  answer: WireAnswer,
): string[] {
  const operation = openApi.find(request.method, request.path);
  if (answer.status >= 500) return [`it failed with ${answer.status}`];
  if (!operation) return aboutNoOperation(openApi, request, answer);
  const response = operation.responses[answer.status];
  if (!response)
    return [`${answer.status} is not documented for ${request.method} ${operation.path}`];
  return [
    ...aboutHeaders(openApi, response, answer),
    ...aboutBody(openApi, response, request, answer),
    ...aboutVerdict(openApi, operation, request, answer),
  ];
}

/** Without an operation there is a problem, or what the path takes. */
function aboutNoOperation(openApi: OpenApi, { method }: WireRequest, answer: WireAnswer): string[] {
  const { status, headers } = answer;
  if (method === 'OPTIONS' && status === 204) return headers.allow ? [] : ['Allow is missing'];
  if (![400, 403, 404, 405].includes(status)) return [`${status} for what no operation serves`];
  if (status === 405 && !headers.allow) return ['Allow is missing'];
  if (method === 'HEAD') return [];
  const valid = openApi.validatorOf({ $ref: '#/components/schemas/Problem' });
  return valid(JSON.parse(answer.body)) ? [] : [`no problem document: ${answer.body}`];
}

function aboutHeaders(openApi: OpenApi, response: oas31.ResponseObject, { headers }: WireAnswer) {
  const described = Object.entries((response.headers ?? {}) as Record<string, oas31.HeaderObject>);
  const names = new Set(described.map(([name]) => name.toLowerCase()));
  return [
    ...described.flatMap(([name, { required, schema }]) => {
      const value = headers[name.toLowerCase()];
      if (value === undefined) return required ? [`the header ${name} is missing`] : [];
      return openApi.validatorOf(schema as Schema)(value)
        ? []
        : [`${name}: ${value} is not as described`];
    }),
    ...Object.keys(headers)
      .filter((name) => !COMMON.has(name) && !names.has(name))
      .map((name) => `the header ${name} is not documented`),
  ];
}

function aboutBody(
  openApi: OpenApi,
  response: oas31.ResponseObject,
  request: WireRequest,
  { headers, body }: WireAnswer,
): string[] {
  const [mediaType = ''] = (headers['content-type'] ?? '').split(';');
  if (!response.content) return body === '' ? [] : [`a body where none is documented: ${body}`];
  const schema = response.content[mediaType]?.schema;
  if (!schema) return [`the content type ${mediaType || 'of the answer'} is not documented`];
  if (request.method === 'HEAD') return [];
  const valid = openApi.validatorOf(schema as Schema);
  if (valid(mediaType.endsWith('json') ? JSON.parse(body) : body)) return [];
  return [
    `its body is not as described: ${JSON.stringify(valid.errors?.slice(0, 3))}\n${body.slice(0, 1000)}`,
  ];
}

/** What is as described is taken, and what is not is refused. */
function aboutVerdict(
  openApi: OpenApi,
  operation: Operation,
  request: WireRequest,
  { status, body }: WireAnswer,
): string[] {
  const verdict = isAsDescribed(openApi, operation, request);
  if (verdict === 'not as described' && status < 400)
    return [`${status} for a request that is wrong`];
  if (verdict !== 'as described' || ![400, 406, 413, 415].includes(status)) return [];
  return isBeyondJsonSchema(JSON.parse(body))
    ? []
    : [`${status} for a request that is right: ${body.slice(0, 1000)}`];
}

function isBeyondJsonSchema({ errors = [] }: { errors?: { message: string }[] }): boolean {
  return errors.length > 0 && errors.every(({ message }) => BEYOND_JSON_SCHEMA.test(message));
}
