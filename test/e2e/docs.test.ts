import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROUTES } from '../../lib/http/routes.ts';
import { openBrowser, withoutBrowser } from './browser.ts';
import { useStack } from './local-stack.ts';

describe.skipIf(withoutBrowser)('GET /docs in a browser', () => {
  const stack = useStack();
  let browser: Browser;
  let page: Page;
  const requested: string[] = [];
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await openBrowser();
    page = await browser.newPage();
    page.on('request', (request) => requested.push(request.url()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (line) => {
      if (['error', 'warning'].includes(line.type())) complaints.push(line.text());
    });
    await page.goto(`${stack.url}/docs`);
    await page.locator('.opblock').first().waitFor();
  });
  afterAll(async () => {
    await browser?.close();
  });

  it('shows every route', async () => {
    const shown = await page.locator('.opblock-summary-path').allInnerTexts();
    const paths = shown.map((text) => text.replaceAll(/\u200b|\s/g, ''));
    expect(new Set(paths)).toEqual(new Set(Object.keys(ROUTES)));
  });

  it('tries a request, and shows its answer', async () => {
    const operation = page.locator('#operations-Tasks-createTask');
    await operation.locator('.opblock-summary').click();
    await operation.locator('textarea').first().fill('{"command": "echo from a page"}');
    await operation.locator('button.execute').click();
    const answer = operation.locator('.live-responses-table .response').first();
    await answer.waitFor();
    expect(await answer.textContent()).toContain('202');
    expect(await answer.textContent()).toContain('echo from a page');
  });

  it('asks nobody but our own server, and has nothing to complain of', () => {
    expect(requested.length).toBeGreaterThan(4);
    const foreign = requested.filter(
      (url) => !url.startsWith(stack.url) && !url.startsWith('data:'),
    );
    expect(foreign).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
