import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { beforeAll, describe, expect, it } from 'vitest';
import type { oas31 } from 'zod-openapi';
import { makeOpenApi } from '../../lib/http/openapi/document.ts';
import { ROUTES } from '../../lib/http/routes.ts';
import { type OpenApi, readOpenApi } from '../contract/openapi-document.ts';

let document: oas31.OpenAPIObject;
let openApi: OpenApi;

beforeAll(() => {
  document = JSON.parse(JSON.stringify(makeOpenApi()));
  openApi = readOpenApi(JSON.stringify(document));
});

const routes = Object.entries(ROUTES).flatMap(([path, route]) =>
  Object.entries(route).map(([method, name]) => ({ method, path, name })),
);

describe('the OpenAPI document', () => {
  it('is one, by the schema of OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate({ ...document });
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  });

  it.each(routes)('describes $method $path', ({ method, path }) => {
    const operation = document.paths?.[path]?.[method.toLowerCase() as 'get'];
    expect(operation?.summary).toBeTruthy();
    for (const parameter of operation?.parameters ?? []) {
      expect(parameter).toMatchObject({ description: expect.any(String) });
    }
  });

  it('names each operation after its function, and no two the same', () => {
    const items = Object.values(document.paths ?? {}) as Record<string, oas31.OperationObject>[];
    const ids = items.flatMap((item) => Object.values(item).map(({ operationId }) => operationId));
    expect(ids).toContain('createTask');
    expect(new Set(ids).size).toBe(routes.length);
  });

  it.each(routes)('asks for the scope that $method $path asks for', ({ method, path, name }) => {
    const file = new URL(`../../functions/${name}.ts`, import.meta.url);
    const [, scope] = /scope: '(\w+)'/.exec(readFileSync(file, 'utf8')) ?? [];
    const security = document.paths?.[path]?.[method.toLowerCase() as 'get']?.security;
    expect(security).toEqual(scope === undefined ? [] : [{ apiKey: [scope] }, {}]);
  });

  it('has examples that are what they are examples of', () => {
    const examples = examplesIn(document);
    expect(examples.length).toBeGreaterThan(10);
    for (const { schema, example } of examples) {
      const validate = openApi.validatorOf(schema);
      expect(
        validate(example),
        `${JSON.stringify(example)} ${JSON.stringify(validate.errors)}`,
      ).toBe(true);
    }
  });

  it.each<[string, unknown, boolean]>([
    ['one command', { command: 'ls' }, true],
    ['one argv', { argv: ['ls'] }, true],
    ['neither', {}, false],
    ['both', { command: 'ls', argv: ['ls'] }, false],
    ['a blank command', { command: ' \n' }, false],
    ['a NUL byte', { command: 'ls \0' }, false],
    ['a command of 64 KiB', { command: 'x'.repeat(65_536) }, true],
    ['a command of 64 KiB and a byte', { command: 'x'.repeat(65_537) }, false],
    ['an empty program', { argv: [''] }, false],
    ['a NUL byte in the program', { argv: ['ls\0'] }, false],
    ['1025 arguments', { argv: Array(1025).fill('x') }, false],
    ['a time-out of 841 s', { command: 'ls', timeoutSeconds: 841 }, false],
    ['half a second', { command: 'ls', timeoutSeconds: 0.5 }, false],
    ['a variable with "=" in its name', { command: 'ls', env: { 'A=B': 'x' } }, false],
    ['a label without a name', { command: 'ls', labels: { '': 'x' } }, false],
    ['a label of 257 bytes', { command: 'ls', labels: { a: 'x'.repeat(257) } }, false],
    ['a field that it does not know', { command: 'ls', cmd: 'ls' }, false],
    ['runAt', { command: 'ls', runAt: '2030-01-31T12:00:00+01:00' }, true],
    ['a day that is none', { command: 'ls', runAt: '2030-02-30T12:00:00Z' }, false],
    ['runAt and a delay', { command: 'ls', runAt: '2030-01-31T12:00:00Z', delaySeconds: 1 }, false],
  ])('says of a new task with %s what the function does', (_what, task, valid) => {
    const validate = openApi.validatorOf({ $ref: '#/components/schemas/NewTask' });
    expect(validate(task)).toBe(valid);
  });
});

interface Example {
  readonly schema: oas31.SchemaObject;
  readonly example: unknown;
}

/** All examples and defaults of schemas, wherever they are. */
function examplesIn(value: unknown): Example[] {
  if (typeof value !== 'object' || value === null) return [];
  const schema = value as oas31.SchemaObject;
  const own = Array.isArray(schema.examples) ? [...schema.examples] : [];
  if ('default' in schema) own.push(schema.default);
  return [
    ...own.map((example) => ({ schema, example })),
    ...Object.entries(value)
      .filter(([key]) => key !== 'examples')
      .flatMap(([, child]) => examplesIn(child)),
  ];
}
