import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { methodsOf, ROUTES } from '../../lib/http/routes.ts';

/** `function: METHOD /path` of every `httpApi` event of serverless.yml. */
function eventsOfServerlessYml(): string[] {
  const text = readFileSync(new URL('../../serverless.yml', import.meta.url), 'utf8');
  const functions = text.matchAll(/^ {4}handler: functions\/(.+)\.handler\n((?: {4}.*\n)*)/gm);
  return Array.from(functions).flatMap(([, name, settings = '']) =>
    Array.from(settings.matchAll(/- httpApi: (.+)$/gm), ([, route]) => `${name}: ${route}`),
  );
}

/** Of those, what a function serves. */
function routesOfServerlessYml(): string[] {
  const events = eventsOfServerlessYml();
  expect(events).toContain('unknown-route: "*"');
  return events.filter((event) => !event.startsWith('unknown-route: '));
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

describe('serverless.yml', () => {
  it('takes no literal path for one with a parameter', () => {
    const literal = Object.keys(ROUTES).filter((path) => !path.includes('{'));
    const served = new Set(eventsOfServerlessYml().map((event) => event.replace(/^.*: /, '')));
    const shadowed = literal
      .filter((path) => path.startsWith('/api/tasks/'))
      .flatMap((path) => ['GET', 'HEAD'].map((method) => `${method} ${path}`));
    expect(shadowed.filter((event) => !served.has(event))).toEqual([]);
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
