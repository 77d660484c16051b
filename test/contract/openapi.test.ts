import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { oas31 } from 'zod-openapi';
import { ROUTES } from '../../lib/http/routes.ts';
import { useFunctions } from '../support/functions.ts';
import { complaintsAbout } from './complaints.ts';
import { sendInProcess } from './in-process.ts';
import { storeKnownTasks } from './known-tasks.ts';
import { readOpenApi } from './openapi-document.ts';
import { type KnownValues, requestOf, toCurl, type WireRequest } from './requests.ts';

/** With a seed of one's own, what fails is made as small as it gets, which can take minutes. */
const SEARCH = process.env.CONTRACT_SEED !== undefined;
const SEED = Number(process.env.CONTRACT_SEED ?? 20_261_125);
const RUNS = Number(process.env.CONTRACT_RUNS ?? 3000);

/** What some requests cost is no reason to send fewer of the others. */
function runsFor(path: string): number {
  // To look through all dead letters takes the broker a second.
  if (/dead-letters/.test(path)) return Math.ceil(RUNS / 400);
  if (/batch|stats|ready|openapi|docs/.test(path)) return Math.ceil(RUNS / 10);
  return path === '/api/tasks' ? RUNS / 2 : RUNS;
}

const { database } = useFunctions();
let served: string;
let known: KnownValues;

beforeAll(async () => {
  served = (await sendInProcess(aGet('/openapi.json'))).body;
  known = await storeKnownTasks(database.sql);
});

function aGet(path: string): WireRequest {
  return { method: 'GET', path, query: [], headers: {}, body: undefined };
}

/** Whether all requests to a route are answered as the document says. */
async function search(document: string, method: string, path: string, numRuns: number) {
  const openApi = readOpenApi(document);
  const operation = openApi.find(method, path);
  if (!operation) throw new Error('the document does not describe it');
  const property = fc.asyncProperty(requestOf(openApi, operation, known), async (request) => {
    const complaints = complaintsAbout(openApi, request, await sendInProcess(request));
    if (complaints.length > 0) throw new Error(`${complaints.join('\n')}\n${toCurl(request)}`);
  });
  return fc.check(property, { seed: SEED, numRuns, endOnFailure: !SEARCH });
}

const routes = Object.entries(ROUTES).flatMap(([path, route]) =>
  Object.keys(route).map((method) => ({ method, path })),
);

describe('every answer is as the OpenAPI document says, whatever is sent', () => {
  it.each(routes)('to $method $path', { timeout: 300_000 }, async ({ method, path }) => {
    const { failed, seed, counterexamplePath, errorInstance, numRuns } = await search(
      served,
      method,
      path,
      runsFor(path),
    );
    if (failed) {
      throw new Error(`CONTRACT_SEED=${seed}, path ${counterexamplePath}`, {
        cause: errorInstance,
      });
    }
    expect(numRuns).toBe(runsFor(path));
  });
});

it('sends twenty thousand requests and more', () => {
  const all = routes.reduce((sum, { path }) => sum + runsFor(path), 0);
  expect(all).toBeGreaterThan(20_000);
});

type Document = Required<Pick<oas31.OpenAPIObject, 'paths' | 'components'>>;

describe('a document that is wrong is found out: one that', () => {
  it.each<[string, 'GET' | 'POST', string, (document: Document) => void, RegExp]>([
    [
      'leaves out a status',
      'GET',
      '/api/tasks/{taskId}',
      ({ paths }) => delete paths['/api/tasks/{taskId}']?.get?.responses?.['404'],
      /404 is not documented/,
    ],
    [
      'leaves out a field of an answer',
      'GET',
      '/api/tasks/{taskId}',
      ({ components }) => delete schemaOf(components, 'Task').properties?.createdAt,
      /its body is not as described/,
    ],
    [
      'gives a field another type',
      'GET',
      '/api/stats',
      ({ components }) => {
        schemaOf(components, 'Stats').properties = { tasks: { type: 'string' } };
      },
      /its body is not as described/,
    ],
    [
      'leaves out a header',
      'POST',
      '/api/tasks',
      ({ paths }) => delete paths['/api/tasks']?.post?.responses?.['202'].headers?.location,
      /the header location is not documented/,
    ],
    [
      'allows more than is taken',
      'POST',
      '/api/tasks',
      ({ components }) => {
        const { properties = {} } = schemaOf(components, 'NewTask');
        properties.timeoutSeconds = { type: 'integer', minimum: 0, maximum: 840 };
      },
      /400 for a request that is right/,
    ],
    [
      'allows less than is taken',
      'POST',
      '/api/tasks',
      ({ components }) => {
        schemaOf(components, 'NewTask').required = ['stdin'];
      },
      /202 for a request that is wrong/,
    ],
  ])('%s', { timeout: 60_000 }, async (_what, method, path, spoil, complaint) => {
    const document = JSON.parse(served);
    spoil(document);
    const { failed, errorInstance } = await search(JSON.stringify(document), method, path, 2000);
    expect(failed).toBe(true);
    expect(String(errorInstance)).toMatch(complaint);
  });
});

function schemaOf({ schemas = {} }: oas31.ComponentsObject, name: string): oas31.SchemaObject {
  const schema = schemas[name];
  if (!schema || '$ref' in schema) throw new Error(`there is no ${name}`);
  return schema as oas31.SchemaObject;
}
