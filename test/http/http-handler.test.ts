import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { httpHandler } from '../../lib/http/http-handler.ts';
import { ok } from '../../lib/http/response.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { quiet } from '../support/quiet.ts';

type Handle = () => Promise<APIGatewayProxyStructuredResultV2>;

/** Answers a request with what the handler does. */
async function answer(
  handle: Handle,
  {
    headers = {},
    remainingMs = 10_000,
    open = () => undefined as unknown,
    allowedHosts = [] as string[],
  } = {},
) {
  const context = { awsRequestId: 'aws-1', getRemainingTimeInMillis: () => remainingMs } as Context;
  const edge = { logger: quiet, accessLevel: 'debug', allowedHosts, corsOrigins: [] } as const;
  const handler = httpHandler({ open, ...edge }, handle);
  const { statusCode, headers: sent, body } = await handler(anHttpEvent({ headers }), context);
  return { status: statusCode, headers: sent ?? {}, body: JSON.parse(body ?? '') };
}

const fine: Handle = async () => ok({ fine: true });
const broken: Handle = async () => {
  throw new Error('the secret cause');
};

describe('httpHandler', () => {
  it.each([
    ['good', fine],
    ['bad', broken],
  ])('marks a %s answer as not to be cached, guessed at, or lost in the log', async (_how, how) => {
    expect((await answer(how)).headers).toMatchObject({
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': 'aws-1',
    });
  });

  it.each([
    ['a sensible id', 'trace-7:a.b', 'trace-7:a.b'],
    ['a line break', 'x\r\nset-cookie: a=b', 'aws-1'],
    ['a very long id', 'x'.repeat(129), 'aws-1'],
  ])('takes over the X-Request-Id of the caller when it is one: %s', async (_what, asked, id) => {
    const { headers } = await answer(fine, { headers: { 'x-request-id': asked } });
    expect(headers['x-request-id']).toBe(id);
  });

  it('answers 500 to what it does not know, and says nothing of the cause', async () => {
    const { status, body } = await answer(broken);
    expect(status).toBe(500);
    expect(body).toEqual({
      type: 'urn:errand:problem:internal_error',
      title: 'Internal error',
      status: 500,
      code: 'internal_error',
      detail: 'Something went wrong on our side.',
      instance: 'urn:errand:request:aws-1',
    });
  });

  it('answers 500 when somebody threw what is no error', async () => {
    const { status } = await answer(() => Promise.reject('a text'));
    expect(status).toBe(500);
  });

  it('answers 503 before the function ends, when the answer takes too long', async () => {
    const { status, headers, body } = await answer(() => new Promise(() => {}), {
      remainingMs: 600,
    });
    expect(status).toBe(503);
    expect(headers['retry-after']).toBe('1');
    expect(body.detail).toBe('The answer took too long. Try again shortly.');
  });

  it('opens its services again when they did not open the last time', async () => {
    let attempts = 0;
    const open = () => {
      attempts += 1;
      if (attempts === 1) throw Object.assign(new Error('no'), { code: 'ECONNREFUSED' });
    };
    expect(await answer(fine, { open })).toMatchObject({ status: 503 });
    expect(await answer(fine, { open })).toMatchObject({ status: 200 });
  });

  it.each(['localhost:3500', '127.0.0.1', '[::1]:3500', 'LOCALHOST:3500'])(
    'serves a host that is allowed: %s',
    async (host) => {
      const allowedHosts = ['localhost', '127.0.0.1', '[::1]'];
      expect(await answer(fine, { headers: { host }, allowedHosts })).toMatchObject({
        status: 200,
      });
    },
  );

  it.each(['172.18.0.5:3500', '172.18.0.5', '[fd00::5]:3500'])(
    'serves whoever asks for an address, which is no name that could be rebound: %s',
    async (host) => {
      const asked = { headers: { host }, allowedHosts: ['localhost'] };
      expect(await answer(fine, asked)).toMatchObject({ status: 200 });
    },
  );

  it('refuses a foreign page that asks for an address', async () => {
    const headers = { host: '172.18.0.5:3500', origin: 'http://evil.example' };
    const { status, body } = await answer(fine, { headers, allowedHosts: ['localhost'] });
    expect([status, body.code]).toEqual([403, 'cross_origin']);
  });

  it.each(['evil.example:3500', 'localhost.evil.example', '127.0.0.1.evil.example', ''])(
    'refuses a page whose name was rebound to this machine: %s',
    async (host) => {
      const headers = { host, origin: `http://${host}` };
      const { status, body } = await answer(fine, { headers, allowedHosts: ['localhost'] });
      expect([status, body.code]).toEqual(host ? [421, 'unknown_host'] : [403, 'cross_origin']);
    },
  );
});
