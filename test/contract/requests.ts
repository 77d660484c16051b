import fc, { type Arbitrary } from 'fast-check';
import type { oas31 } from 'zod-openapi';
import { arbitraryOf } from './arbitrary-of.ts';
import { mutate, mutation } from './near-misses.ts';
import type { OpenApi, Operation, Schema } from './openapi-document.ts';

/** A request as it goes over the wire. */
export interface WireRequest {
  readonly method: string;
  readonly path: string;
  readonly query: readonly (readonly [string, string])[];
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** Values that only a running system knows, or that would take long: by the parameter's name. */
export type KnownValues = Readonly<Record<string, Arbitrary<string>>>;

/** Requests to an operation: as it is described, or with a few things wrong. */
export function requestOf(
  openApi: OpenApi,
  operation: Operation,
  known: KnownValues,
): Arbitrary<WireRequest> {
  const described = fc
    .record({
      method: fc.constant(operation.method),
      path: pathOf(openApi, operation, known),
      query: queryOf(openApi, operation, known),
      headers: headersOf(openApi, operation, known),
      body: bodyOf(openApi, operation),
    })
    .map(({ headers, ...request }): WireRequest => {
      if (!request.body) return { ...request, headers };
      return { ...request, headers: { 'content-type': 'application/json', ...headers } };
    });
  const misuses = fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    fc.array(misuse, { maxLength: 2 }),
  );
  return fc.tuple(described, misuses).map(([request, wrongs]) => wrongs.reduce(misused, request));
}

const parametersIn = (operation: Operation, place: string) =>
  operation.parameters.filter((parameter) => parameter.in === place);

function pathOf(openApi: OpenApi, operation: Operation, known: KnownValues): Arbitrary<string> {
  const values = parametersIn(operation, 'path').map((parameter) =>
    fc
      .oneof(
        { weight: 9, arbitrary: textOf(openApi, parameter, known) },
        fc.constantFrom('1', 'latest', '%00', '..', '%F0%9F%9A%80', 'null'),
      )
      .map((value) => [parameter.name, value] as const),
  );
  return fc
    .tuple(...values)
    .map((parts) =>
      parts.reduce((path, [name, value]) => path.replace(`{${name}}`, value), operation.path),
    );
}

function queryOf(openApi: OpenApi, operation: Operation, known: KnownValues) {
  const pairs = parametersIn(operation, 'query').map((parameter) => {
    const { type, items } = openApi.resolve(parameter.schema as Schema);
    const one = textOf(
      openApi,
      { ...parameter, schema: (type === 'array' ? items : parameter.schema) as Schema },
      known,
    );
    return fc
      .array(one, { maxLength: type === 'array' ? 3 : 1 })
      .map((values) => values.map((value): [string, string] => [parameter.name, value]));
  });
  return fc.tuple(...pairs).map((all): (readonly [string, string])[] => all.flat());
}

function headersOf(openApi: OpenApi, operation: Operation, known: KnownValues) {
  const fields = parametersIn(operation, 'header').map((parameter) => [
    parameter.name.toLowerCase(),
    textOf(openApi, parameter, known).filter(isHeaderValue),
  ]);
  return fc.record(Object.fromEntries(fields), {
    requiredKeys: [],
    noNullPrototype: true,
  }) as Arbitrary<Record<string, string>>;
}

function textOf(
  openApi: OpenApi,
  { name, schema }: oas31.ParameterObject,
  known: KnownValues,
): Arbitrary<string> {
  return known[name] ?? arbitraryOf(openApi, schema as Schema).map(String);
}

/** As HTTP allows it: neither spaces around it nor control characters. */
export function isHeaderValue(value: string): boolean {
  return /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value);
}

function bodyOf(openApi: OpenApi, { requestBody }: Operation): Arbitrary<Buffer | undefined> {
  const schema = requestBody?.content['application/json']?.schema;
  if (!requestBody || !schema) return fc.constant(undefined);
  const document = fc
    .tuple(
      arbitraryOf(openApi, schema as Schema),
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, fc.array(mutation, { maxLength: 3 })),
    )
    .map(([value, mutations]) => mutations.reduce(mutate, value))
    .map((value) => Buffer.from(JSON.stringify(value) ?? ''));
  return requestBody.required ? document : fc.option(document, { nil: undefined });
}

type Part = 'method' | 'path' | 'query' | 'header' | 'body';

interface Misuse {
  readonly part: Part;
  readonly value: string;
}

/** What is wrong about the request around its document. */
const misuse: Arbitrary<Misuse> = fc.oneof(
  wrong('method', 'GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
  wrong('path', '/', '/api', '/api/tasks/', '/api/tasks/x/y/z', '/API/tasks', '/%00', '/__proto__'),
  wrong(
    'query',
    'wait=26',
    'wait=-1',
    'wait=0&wait=0',
    'limit=0',
    'limit=201',
    'limit=1.5',
    'limit=05',
  ),
  wrong(
    'query',
    'status=lost',
    'label=team',
    'label=:',
    'q=',
    'q=%00',
    'cursor=x',
    'after=-1',
    'attempt=0',
  ),
  wrong(
    'query',
    'createdAfter=now',
    'createdBefore=2030-02-30T00:00:00Z',
    'page=2',
    '=',
    '__proto__=1',
  ),
  wrong(
    'header',
    'content-type: text/plain',
    'content-type: application/json; charset=latin1',
    'content-type:',
  ),
  wrong('header', 'content-type: Application/JSON; Charset="UTF-8"', 'content-encoding: gzip'),
  wrong(
    'header',
    'accept: text/html',
    'accept: application/*;q=0.1',
    'accept: text/plain',
    'accept: */*;q=0',
  ),
  wrong(
    'header',
    'origin: https://evil.example',
    'origin: null',
    'idempotency-key: a b',
    'if-none-match: *',
  ),
  wrong(
    'header',
    'prefer: wait=soon',
    'prefer: respond-async',
    'x-request-id: <script>',
    'authorization: Bearer x',
  ),
  wrong(
    'body',
    '',
    '{',
    'null',
    '[]',
    '"text"',
    '0',
    '{"command":"ls"}',
    '{"command":"ls","command":1}',
  ),
  wrong(
    'body',
    '{"command":"ls","timeoutSeconds":1e400}',
    '{"command":"ls","env":{"__proto__":"x"}}',
  ),
  wrong(
    'body',
    '\ufeff{"command":"ls"}',
    "{'command':'ls'}",
    '{"command":"\\ud800"}',
    '[[[[[[[[[[1]]]]]]]]]]',
  ),
);

function wrong(part: Part, ...values: string[]): Arbitrary<Misuse> {
  return fc.record({ part: fc.constant(part), value: fc.constantFrom(...values) });
}

function misused(request: WireRequest, { part, value }: Misuse): WireRequest {
  if (part === 'method') return { ...request, method: value };
  if (part === 'path') return { ...request, path: value };
  if (part === 'body') return { ...request, body: Buffer.from(value) };
  if (part === 'query') {
    return { ...request, query: [...request.query, ...new URLSearchParams(value)] };
  }
  const [name = '', text = ''] = value.split(/: ?(.*)/s);
  return { ...request, headers: { ...request.headers, [name]: text } };
}

/** For people who want to see it themselves. A long body is cut. */
export function toCurl({ method, path, query, headers, body }: WireRequest): string {
  const search = new URLSearchParams(query.map(([name, value]): [string, string] => [name, value]));
  return [
    `curl --request ${method} 'http://localhost:3500${path}${query.length > 0 ? `?${search}` : ''}'`,
    ...Object.entries(headers).map(([name, value]) => `--header '${name}: ${value}'`),
    ...(body ? [`--data-binary '${body.toString('utf8').slice(0, 2000)}'`] : []),
  ].join(' \\\n  ');
}
