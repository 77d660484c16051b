import { describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';

useFunctions();

const APP = 'https://app.example';
process.env.CORS_ORIGINS = `${APP},http://localhost:5173`;

const preflight = (origin: string, path = '/api/tasks') =>
  request(
    'unknown-route',
    anHttpEvent({
      method: 'OPTIONS',
      path,
      headers: {
        origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    }),
  );

describe('CORS_ORIGINS', () => {
  it('answers the preflight of a page of theirs', async () => {
    const { status, headers } = await preflight(APP);
    expect(status).toBe(204);
    expect(headers).toMatchObject({
      'access-control-allow-origin': APP,
      'access-control-allow-methods': 'GET, HEAD, POST, OPTIONS',
      'access-control-allow-headers': expect.stringContaining('authorization, content-type'),
      'access-control-max-age': '7200',
      vary: 'origin',
    });
    expect(headers).not.toHaveProperty('access-control-allow-credentials');
  });

  it('lets a page of theirs create a task, and read where it is', async () => {
    const answer = await request('create-task', aPost({ command: 'true' }, { origin: APP }));
    expect(answer.status).toBe(202);
    expect(answer.headers['access-control-allow-origin']).toBe(APP);
    expect(answer.headers['access-control-expose-headers']).toContain('location');
  });

  it('lets a page of theirs read what was wrong', async () => {
    const answer = await request('create-task', aPost({}, { origin: APP }));
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.headers['access-control-allow-origin']).toBe(APP);
  });

  it.each([
    'https://evil.example',
    'http://app.example',
    'https://app.example.evil.example',
    'null',
  ])('refuses a page of %s as ever', async (origin) => {
    for (const answer of [
      await preflight(origin),
      await request('create-task', aPost({ command: 'true' }, { origin })),
    ]) {
      expectProblem(answer, 403, 'cross_origin');
      expect(answer.headers).not.toHaveProperty('access-control-allow-origin');
      expect(answer.headers.vary).toBe('origin');
    }
  });

  it('tells caches that answers differ, also where no page asks', async () => {
    const { headers } = await request('health-live', anHttpEvent({ path: '/health/live' }));
    expect(headers.vary).toBe('origin');
    expect(headers).not.toHaveProperty('access-control-allow-origin');
  });
});
