import Negotiator from 'negotiator';
import type { oas31 } from 'zod-openapi';
import { type OpenApi, type Operation, patternOf, type Schema } from './openapi-document.ts';
import type { WireRequest } from './requests.ts';

/** Whether a request is as the document describes it. `open`: the document does not say. */
export type Verdict = 'as described' | 'not as described' | 'open';

/** Holds a request against the document alone. */
export function isAsDescribed(
  openApi: OpenApi,
  operation: Operation,
  request: WireRequest,
): Verdict {
  const verdicts = [
    path(openApi, operation, request),
    query(openApi, operation, request),
    headers(openApi, operation, request),
    accept(operation, request),
    body(openApi, operation, request),
  ];
  if (verdicts.includes('not as described')) return 'not as described';
  return verdicts.includes('open') ? 'open' : 'as described';
}

function path(openApi: OpenApi, operation: Operation, request: WireRequest): Verdict {
  const values = patternOf(operation.path).exec(request.path)?.groups ?? {};
  return all(
    operation.parameters
      .filter((parameter) => parameter.in === 'path')
      .map((parameter) =>
        admits(openApi, parameter, [decodeURIComponent(values[parameter.name] ?? '')]),
      ),
  );
}

function query(openApi: OpenApi, operation: Operation, request: WireRequest): Verdict {
  const parameters = operation.parameters.filter((parameter) => parameter.in === 'query');
  const names = new Set(parameters.map(({ name }) => name));
  const unknown = request.query.some(([name]) => !names.has(name));
  // OpenAPI cannot say whether other parameters are refused or ignored, but in words: ours does.
  if (unknown && operation.path.startsWith('/api/')) return 'not as described';
  const known = parameters.map((parameter) => {
    const values = request.query
      .filter(([name]) => name === parameter.name)
      .map(([, value]) => value);
    return values.length === 0 ? true : admits(openApi, parameter, values);
  });
  return all(known) === 'as described' && unknown ? 'open' : all(known);
}

function headers(openApi: OpenApi, operation: Operation, request: WireRequest): Verdict {
  const { origin, authorization } = request.headers;
  if (origin !== undefined) return 'not as described';
  if (authorization !== undefined) return 'open';
  return all(
    operation.parameters
      .filter((parameter) => parameter.in === 'header')
      .map((parameter) => {
        const value = request.headers[parameter.name.toLowerCase()];
        return value === undefined || admits(openApi, parameter, [value]);
      }),
  );
}

/** Whether the caller takes one of the media types of a good answer. */
function accept({ responses }: Operation, request: WireRequest): Verdict {
  const offered = Object.entries(responses).flatMap(([status, response]) =>
    status.startsWith('2') ? Object.keys(response.content ?? {}) : [],
  );
  if (request.headers.accept === undefined) return 'as described';
  const taken = new Negotiator({ headers: request.headers }).mediaType(offered);
  return taken === undefined ? 'open' : 'as described';
}

function body(openApi: OpenApi, operation: Operation, request: WireRequest): Verdict {
  const described = operation.requestBody;
  if (!described) return 'as described';
  if (!request.body?.length) return described.required ? 'not as described' : 'as described';
  if (request.headers['content-encoding'] !== undefined) return 'not as described';
  const [mediaType = '', charset] = (request.headers['content-type'] ?? '')
    .toLowerCase()
    .split('; ');
  const schema = described.content[mediaType]?.schema;
  if (!schema) return 'not as described';
  if (charset !== undefined && !/utf-8/.test(charset)) return 'not as described';
  try {
    const document: unknown = JSON.parse(request.body.toString('utf8'));
    return all([openApi.validatorOf(schema as Schema)(document) === true]);
  } catch {
    return 'open'; // A byte order mark, say, which some take for a part of the text.
  }
}

/** A parameter's text, read as what its schema says it stands for. */
function admits(
  openApi: OpenApi,
  { schema }: oas31.ParameterObject,
  texts: readonly string[],
): boolean {
  const { type } = openApi.resolve(schema as Schema);
  const valid = openApi.validatorOf(schema as Schema);
  if (type === 'array') return valid(texts) === true;
  const [text = ''] = texts;
  if (texts.length !== 1) return false;
  if (type !== 'integer') return valid(text) === true;
  return /^-?(0|[1-9]\d*)$/.test(text) && valid(Number(text)) === true;
}

function all(parts: readonly (boolean | Verdict)[]): Verdict {
  return parts.every((part) => part === true || part === 'as described')
    ? 'as described'
    : 'not as described';
}
