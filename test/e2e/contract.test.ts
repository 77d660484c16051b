import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../lib/http/routes.ts';
import { complaintsAbout } from '../contract/complaints.ts';
import { readOpenApi } from '../contract/openapi-document.ts';
import { overHttp } from '../contract/over-http.ts';
import { type KnownValues, requestOf, toCurl } from '../contract/requests.ts';
import { useStack } from './local-stack.ts';

const SEED = Number(process.env.CONTRACT_SEED ?? 20_261_125);

/** What HTTP servers do to requests is to be seen here; more of them go to the functions alone. */
function runsFor(path: string): number {
  if (/dead-letters/.test(path)) return 4;
  return /batch|docs|openapi/.test(path) ? 25 : 250;
}

const routes = Object.entries(ROUTES).flatMap(([path, route]) =>
  Object.keys(route).map((method) => ({ method, path })),
);

describe('every answer over HTTP is as the OpenAPI document says, whatever is sent', () => {
  const stack = useStack();
  let wire: ReturnType<typeof overHttp>;
  let known: KnownValues;

  beforeAll(async () => {
    wire = overHttp(stack.url);
    const ids = await Promise.all(['echo hello', 'exit 3', 'sleep 300', 'kill $$'].map(create));
    known = {
      taskId: fc.constantFrom(...ids, '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f'),
      // Waiting in earnest is for other tests.
      wait: fc.constant('0'),
      Prefer: fc.constant('wait=0'),
      'Idempotency-Key': fc.constantFrom('a', 'b'),
    };
  });
  afterAll(() => wire?.close());

  async function create(command: string): Promise<string> {
    const answer = await fetch(`${stack.url}/api/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command }),
    });
    return ((await answer.json()) as { id: string }).id;
  }

  it.each(routes)('to $method $path', async ({ method, path }) => {
    const openApi = readOpenApi(await (await fetch(`${stack.url}/openapi.json`)).text());
    const operation = openApi.find(method, path);
    if (!operation) throw new Error('the document does not describe it');
    const property = fc.asyncProperty(requestOf(openApi, operation, known), async (request) => {
      const complaints = complaintsAbout(openApi, request, await wire.send(request));
      if (complaints.length > 0) throw new Error(`${complaints.join('\n')}\n${toCurl(request)}`);
    });
    const result = await fc.check(property, {
      seed: SEED,
      numRuns: runsFor(path),
      endOnFailure: process.env.CONTRACT_SEED === undefined,
    });
    const { failed, counterexamplePath, errorInstance } = result;
    if (failed) {
      throw new Error(`CONTRACT_SEED=${SEED}, path ${counterexamplePath}`, {
        cause: errorInstance,
      });
    }
    expect(result.numRuns).toBe(runsFor(path));
  });
});
