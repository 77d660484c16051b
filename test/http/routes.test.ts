import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { methodsOf, ROUTES } from '../../lib/http/routes.ts';

/** `METHOD /path` of every `httpApi` event of serverless.yml, but for the catch-all. */
function routesOfServerlessYml(): string[] {
  const text = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  const routes = Array.from(text.matchAll(/^\s*- httpApi: (.+)$/gm), ([, route = '']) => route);
  expect(routes).toContain('"*"');
  return routes.filter((route) => route !== '"*"');
}

describe('ROUTES', () => {
  it('are the routes of serverless.yml', () => {
    const known = ROUTES.flatMap(({ path, methods }) => methods.map((m) => `${m} ${path}`));
    expect(known.sort()).toEqual(routesOfServerlessYml().sort());
  });
});

describe('methodsOf', () => {
  it('knows the methods of a path with a parameter', () => {
    expect(methodsOf('/api/tasks/0190')).toEqual(['GET']);
    expect(methodsOf('/api/tasks/0190/cancel')).toEqual(['POST']);
  });

  it('knows none of a path that is not a route', () => {
    for (const path of ['', '/', '/api/tasks/', '/api/tasks//cancel', '/api/tasks/1/2']) {
      expect(methodsOf(path)).toEqual([]);
    }
  });
});
