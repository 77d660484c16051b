import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { DOCS_ASSETS } from '../../lib/http/docs-page.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

useFunctions();

async function raw(
  path: string,
  pathParameters: Record<string, string> = {},
  headers: Record<string, string> = {},
) {
  const { handler } = await import('../../functions/get-docs.ts');
  const context = { awsRequestId: 'x', getRemainingTimeInMillis: () => 10_000 };
  return handler(anHttpEvent({ path, pathParameters, headers }), context as never);
}

describe('GET /docs', () => {
  it('is a page that may load nothing but what our own origin has', async () => {
    const { statusCode, headers = {}, body = '' } = await raw('/docs');
    expect(statusCode).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(body).not.toMatch(/(src|href)="(https?:)?\/\//);
  });

  it('is made of what there is, under addresses that change with it', async () => {
    const { body = '' } = await raw('/docs');
    const named = Array.from(body.matchAll(/"docs\/([^"?]+)\?v=[\w.-]+"/g), ([, name]) => name);
    expect(named.sort()).toEqual([...DOCS_ASSETS].sort());
  });

  it('compresses for whom takes gzip', async () => {
    const asset = 'swagger-ui-bundle.js';
    const whole = await raw(`/docs/${asset}`, { asset });
    const zipped = await raw(`/docs/${asset}`, { asset }, { 'accept-encoding': 'gzip, br' });
    expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' });
    const bytes = gunzipSync(Buffer.from(zipped.body ?? '', 'base64'));
    expect(bytes.equals(Buffer.from(whole.body ?? '', 'base64'))).toBe(true);
  });

  it.each([
    ['swagger-ui-bundle.js', 'text/javascript'],
    ['swagger-ui.css', 'text/css'],
    ['start.js', 'text/javascript'],
    ['favicon-32x32.png', 'image/png'],
  ])('has its %s, to be cached, and below the 6 MB of Lambda', async (asset, mediaType) => {
    const { statusCode, headers = {}, body = '' } = await raw(`/docs/${asset}`, { asset });
    expect([statusCode, headers['content-type']]).toEqual([200, mediaType]);
    expect(headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(body.length).toBeLessThan(6_000_000);
  });

  it.each(['package.json', '..%2f..%2fpackage.json', '../package.json', '__proto__'])(
    'has no %s',
    async (asset) => {
      const event = anHttpEvent({ path: `/docs/${asset}`, pathParameters: { asset } });
      expectProblem(await request('get-docs', event), 404, 'route_not_found');
    },
  );
});
