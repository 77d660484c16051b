import { describe, expect, it } from 'vitest';
import { makeSecret, parseApiKey } from '../../lib/access/api-key.ts';
import type { RateLimitState } from '../../lib/access/rate-limit.ts';
import { showKey } from '../../lib/access/show-key.ts';
import { useDatabase } from '../support/database.ts';
import { storeKey } from '../support/keys.ts';

const database = useDatabase();

/** A key with a limit, and what asks with it. */
async function limitedKey(requestsPerMinute: number, burst: number) {
  const { id, apiKey } = await storeKey(database.sql, { rateLimit: { requestsPerMinute, burst } });
  const key = parseApiKey(apiKey);
  if (!key) throw new Error('not a key');
  return {
    id,
    async ask(sql = database.sql): Promise<RateLimitState> {
      const shown = await showKey(sql, key);
      if (shown.kind !== 'good' || !shown.rate) throw new Error(`the key is ${shown.kind}`);
      return shown.rate;
    },
    /** Moves time: the bucket has filled for so long. */
    wait: (seconds: number) => database.sql`
      update errand.rate_limits set full_at = full_at - make_interval(secs => ${seconds})
       where key_id = ${id}`,
  };
}

describe('the rate limit of a key', () => {
  it('lets exactly the burst through, however many ask at once', async () => {
    const { ask } = await limitedKey(1, 10);
    const pools = Array.from({ length: 5 }, () => database.connect({ poolMax: 8 }));
    const states = await Promise.all(
      Array.from({ length: 100 }, (_, index) => ask(pools[index % pools.length])),
    );
    const granted = states.filter((state) => state.granted);
    expect(granted).toHaveLength(10);
    // Each saw the bucket at the start of its statement, so two may tell the same number.
    const left = granted.map(({ remaining }) => remaining);
    expect([Math.min(...left), Math.max(...left)]).toEqual([0, 9]);
  });

  it('gives a token back for each step of time, and no more than the burst', async () => {
    const { ask, wait } = await limitedKey(6, 2);
    expect(await ask()).toMatchObject({ granted: true, remaining: 1, nextInSeconds: 10 });
    expect(await ask()).toMatchObject({ granted: true, remaining: 0, nextInSeconds: 10 });
    expect(await ask()).toMatchObject({ granted: false, remaining: 0, nextInSeconds: 10 });
    await wait(4);
    expect(await ask()).toMatchObject({ granted: false, remaining: 0, nextInSeconds: 6 });
    await wait(6);
    expect(await ask()).toMatchObject({ granted: true, remaining: 0 });
    await wait(3600);
    expect(await ask()).toMatchObject({ granted: true, remaining: 1 });
    expect(await ask()).toMatchObject({ granted: true, remaining: 0 });
    expect(await ask()).toMatchObject({ granted: false });
  });

  it.each([
    [7, 10],
    [1, 1],
    [600, 600],
    [1_000_000, 3],
  ])('counts evenly where %i a minute do not divide it', async (requestsPerMinute, burst) => {
    const { ask } = await limitedKey(requestsPerMinute, burst);
    for (let left = burst - 1; left >= Math.max(0, burst - 20); left--) {
      const state = await ask();
      expect(state.granted).toBe(true);
      expect(state.remaining).toBeGreaterThanOrEqual(left);
      expect(state.remaining).toBeLessThan(burst);
    }
  });

  it('is not used up by somebody who knows the id alone', async () => {
    const { id, ask } = await limitedKey(1, 1);
    for (let guess = 0; guess < 5; guess++) {
      await showKey(database.sql, { id, secret: makeSecret() });
    }
    expect(await ask()).toMatchObject({ granted: true });
    expect(await ask()).toMatchObject({ granted: false });
  });

  it('is that of one key, not of the others', async () => {
    const one = await limitedKey(1, 1);
    const other = await limitedKey(1, 1);
    await one.ask();
    expect(await one.ask()).toMatchObject({ granted: false });
    expect(await other.ask()).toMatchObject({ granted: true });
  });

  it('is in a table that is not logged, so that a request does not wait for the disk', async () => {
    expect(
      await database.sql`
        select relpersistence from pg_class where oid = 'errand.rate_limits'::regclass`,
    ).toEqual([{ relpersistence: 'u' }]);
  });
});
