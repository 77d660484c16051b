import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { methodsOf, ROUTES } from '../../lib/http/routes.ts';

/** `function: METHOD /path` of every `httpApi` event of serverless.yml, but for the catch-all. */
function routesOfServerlessYml(): string[] {
  const text = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  const functions = text.matchAll(/^ {4}handler: functions\/(.+)\.handler\n((?: {4}.*\n)*)/gm);
  const routes = Array.from(functions).flatMap(([, name, settings = '']) =>
    Array.from(settings.matchAll(/- httpApi: (.+)$/gm), ([, route]) => `${name}: ${route}`),
  );
  expect(routes).toContain('unknown-route: "*"');
  return routes.filter((route) => route !== 'unknown-route: "*"');
}

describe('ROUTES', () => {
  it('are the routes of serverless.yml', () => {
    const known = Object.entries(ROUTES).flatMap(([path, route]) =>
      Object.entries(route).flatMap(([method, name]) =>
        (method === 'GET' ? ['GET', 'HEAD'] : [method]).map((m) => `${name}: ${m} ${path}`),
      ),
    );
    expect(known.sort()).toEqual(routesOfServerlessYml().sort());
  });
});

describe('methodsOf', () => {
  it('knows the methods of a path with a parameter', () => {
    expect(methodsOf('/api/tasks/0190')).toEqual(['GET', 'HEAD', 'OPTIONS']);
    expect(methodsOf('/api/tasks/0190/cancel')).toEqual(['POST', 'OPTIONS']);
  });

  it('knows none of a path that is not a route', () => {
    for (const path of ['', '/', '/api/tasks/', '/api/tasks//cancel', '/api/tasks/1/2']) {
      expect(methodsOf(path)).toEqual([]);
    }
  });
});
