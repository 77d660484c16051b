import { describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

process.env.LOG_LEVEL = 'silent';

const ask = (method: string, path: string) =>
  request('unknown-route', anHttpEvent({ method, path }));

describe('a request that no function serves', () => {
  it.each([
    ['GET', '/'],
    ['GET', '/api'],
    ['GET', '/api/task'],
    ['POST', '/api/tasks/1/2/3'],
    ['GET', '/API/tasks'],
    ['GET', '/api//tasks'],
    ['GET', '/constructor'],
  ])('answers 404 to %s %s', async (method, path) => {
    const answer = await ask(method, path);
    expectProblem(answer, 404, 'route_not_found');
    expect(answer.body.detail).toContain(`There is no ${path} here.`);
  });

  it.each([
    ['GET', '/api/tasks/'],
    ['POST', '/api/tasks/'],
    ['GET', '/api/tasks/0190/'],
    ['GET', '/health/ready/'],
  ])('answers 404 to %s %s, and says that the slash is too much', async (method, path) => {
    const answer = await ask(method, path);
    expectProblem(answer, 404, 'route_not_found');
    expect(answer.body.detail).toContain(`Try ${path.slice(0, -1)}`);
  });

  it.each([
    ['DELETE', '/api/tasks', 'GET, HEAD, POST, OPTIONS'],
    ['PUT', '/api/tasks/0190', 'GET, HEAD, OPTIONS'],
    ['GET', '/api/tasks/0190/cancel', 'POST, OPTIONS'],
    ['HEAD', '/api/tasks/0190/cancel', 'POST, OPTIONS'],
    ['POST', '/health/live', 'GET, HEAD, OPTIONS'],
    ['GET', '/api/tasks/batch', 'POST, OPTIONS'],
    ['HEAD', '/api/tasks/batch', 'POST, OPTIONS'],
    ['DELETE', '/api/tasks/batch', 'POST, OPTIONS'],
  ])('answers 405 to %s %s, with what it takes', async (method, path, allow) => {
    const answer = await ask(method, path);
    expectProblem(answer, 405, 'method_not_allowed');
    expect(answer.headers.allow).toBe(allow);
  });

  it('answers OPTIONS with what a path takes', async () => {
    const { status, headers, body } = await ask('OPTIONS', '/api/tasks');
    expect([status, headers.allow, body]).toEqual([204, 'GET, HEAD, POST, OPTIONS', null]);
    expectProblem(await ask('OPTIONS', '/api/task'), 404, 'route_not_found');
  });
});
