import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PactV4 } from '@pact-foundation/pact';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientOf } from './client.ts';
import { INTERACTIONS } from './interactions.ts';
import { KEPT_PACT } from './kept-pact.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pact-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What was agreed on; which release of the library wrote it does not matter. */
function agreementIn(path: string): unknown {
  return JSON.parse(readFileSync(path, 'utf8')).interactions;
}

describe('a consumer of errand', () => {
  it.each(INTERACTIONS)('$does, when $state', async (interaction) => {
    const { state, does, method, path, query, headers, body, status, answer } = interaction;
    const pact = new PactV4({
      consumer: 'a-client',
      provider: 'errand',
      dir: folder,
      logLevel: 'error',
    });
    await pact
      .addInteraction()
      .given(state)
      .uponReceiving(does)
      .withRequest(method, path, (request) => {
        if (query) request.query(query);
        if (headers) request.headers(headers);
        if (body) request.jsonBody(body);
      })
      .willRespondWith(status, (response) => {
        response.jsonBody(answer);
        if (status >= 400) response.headers({ 'content-type': 'application/problem+json' });
      })
      .executeTest(async ({ url }) => {
        expect((await interaction.call(clientOf(url))).status).toBe(status);
      });
  });

  it('relies on what is kept in the pact file; UPDATE_PACT=1 keeps it anew', () => {
    const written = join(folder, 'a-client-errand.json');
    if (process.env.UPDATE_PACT) writeFileSync(KEPT_PACT, readFileSync(written));
    expect(agreementIn(KEPT_PACT)).toEqual(agreementIn(written));
  });
});
