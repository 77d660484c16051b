import { expect, it } from 'vitest';
import { request } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

process.env.LOG_LEVEL = 'silent';

it('GET /openapi.json answers the document, without a database', async () => {
  const answer = await request('get-openapi', anHttpEvent({ path: '/openapi.json' }));
  expect(answer.status).toBe(200);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.body).toMatchObject({ openapi: '3.1.1', info: { title: 'errand' } });
});
