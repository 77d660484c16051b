import { beforeEach, describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { purgeQueue, sendRaw } from '../support/queue.ts';

const functions = useFunctions();
const { broker } = functions;

beforeEach(async () => {
  await broker.purge();
  await purgeQueue(broker.settings, broker.settings.deadLetterUrl);
});

const giveUpOn = (body: string) => sendRaw(broker.settings, broker.settings.deadLetterUrl, body);
const list = (query = '') =>
  request('list-dead-letters', anHttpEvent({ path: '/api/dead-letters', query }));
const redrive = (body?: string) =>
  request(
    'redrive-dead-letters',
    anHttpEvent({
      method: 'POST',
      path: '/api/dead-letters/redrive',
      ...(body !== undefined && { body, headers: { 'content-type': 'application/json' } }),
    }),
  );

describe('GET /api/dead-letters', () => {
  it('shows what the queue gave up on', async () => {
    await giveUpOn('"poison"');
    const { status, body } = await list();
    expect(status).toBe(200);
    expect(body.items).toEqual([
      {
        id: expect.any(String),
        body: '"poison"',
        receiveCount: 1,
        sentAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      },
    ]);
  });

  it('refuses a limit that is none', async () => {
    expectProblem(await list('limit=all'), 400, 'invalid_request');
  });

  it('answers 503 while the broker is away', async () => {
    await functions.queueWire.cut();
    const answer = await list();
    await functions.queueWire.mend();
    expectProblem(answer, 503, 'unavailable');
    expect(answer.body.detail).toBe('The queue is not available. Try again shortly.');
  });
});

describe('POST /api/dead-letters/redrive', () => {
  it.each([
    ['without a body', undefined],
    ['with an empty object', '{}'],
  ])('sends all letters back, %s', async (_how, body) => {
    await giveUpOn('1');
    await giveUpOn('2');
    expect(await redrive(body)).toMatchObject({ status: 202, body: { redriven: 2 } });
    expect(await broker.drain()).toHaveLength(2);
  });

  it('sends one letter back', async () => {
    await giveUpOn('1');
    await giveUpOn('2');
    const [letter] = (await list()).body.items;
    const answer = await redrive(JSON.stringify({ id: letter.id }));
    expect(answer.body).toEqual({ redriven: 1 });
    expect(await broker.drain()).toEqual([JSON.parse(letter.body)]);
  });

  it('answers 404 for a letter that is not there, and for one that was sent back before', async () => {
    await giveUpOn('1');
    const [letter] = (await list()).body.items;
    await redrive(JSON.stringify({ id: letter.id }));
    for (const id of [letter.id, 'mistyped']) {
      const answer = await redrive(JSON.stringify({ id }));
      expectProblem(answer, 404, 'dead_letter_not_found');
      expect(answer.body.detail).toContain(`There is no dead letter ${id}, or no more`);
    }
    expect(await broker.drain()).toHaveLength(1);
  });

  it('answers 202 when there are none at all', async () => {
    expect(await redrive('{}')).toMatchObject({ status: 202, body: { redriven: 0 } });
  });

  it.each([
    ['another field', '{"ids":["x"]}', 'ids'],
    ['an empty id', '{"id":""}', 'id'],
    ['null for an id', '{"id":null}', 'id'],
    ['an id with a NUL in it', '{"id":"a\\u0000"}', 'id'],
  ])('refuses %s, and sends nothing back', async (_what, body, path) => {
    await giveUpOn('1');
    const answer = await redrive(body);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toMatchObject([{ path }]);
    expect(await broker.drain()).toEqual([]);
  });
});
