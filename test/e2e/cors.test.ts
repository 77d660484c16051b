import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openBrowser, withoutBrowser } from './browser.ts';
import { useStack } from './local-stack.ts';

/** A site of somebody else's: an empty page. */
async function openSite(): Promise<{ server: Server; origin: string }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'text/html').end('<link rel="icon" href="data:,">');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, origin: `http://localhost:${(server.address() as AddressInfo).port}` };
}

describe.skipIf(withoutBrowser)('CORS_ORIGINS, in a browser', () => {
  let browser: Browser;
  let invited: Awaited<ReturnType<typeof openSite>>;
  let stranger: Awaited<ReturnType<typeof openSite>>;

  beforeAll(async () => {
    [invited, stranger] = await Promise.all([openSite(), openSite()]);
    browser = await openBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    for (const { server } of [invited, stranger]) server.close();
  });
  // After the sites are there.
  const stack = useStack(() => ({ CORS_ORIGINS: invited.origin }));

  /** What a page of the origin gets for creating a task, which takes a preflight first. */
  async function createFrom(origin: string) {
    const page = await browser.newPage();
    await page.goto(origin);
    return page.evaluate(async (url) => {
      try {
        const answer = await fetch(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json', 'idempotency-key': 'from-a-page' },
          body: '{"command": "echo from another origin"}',
        });
        return { status: answer.status, location: answer.headers.get('location') };
      } catch (error) {
        return String(error);
      }
    }, `${stack.url}/api/tasks`);
  }

  it('lets a page of theirs create a task, and read where it is', async () => {
    expect(await createFrom(invited.origin)).toEqual({
      status: 202,
      location: expect.stringMatching(/^\/api\/tasks\/[0-9a-f-]{36}$/),
    });
  });

  it('lets no other page do so', async () => {
    expect(await createFrom(stranger.origin)).toBe('TypeError: Failed to fetch');
    const stored = (await (await fetch(`${stack.url}/api/tasks`)).json()) as { items: unknown[] };
    expect(stored.items).toHaveLength(1);
  });
});
