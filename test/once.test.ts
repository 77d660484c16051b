import { describe, expect, it } from 'vitest';
import { once } from '../lib/once.ts';

describe('once', () => {
  it('opens once for callers that come at once, and for later ones', async () => {
    let opened = 0;
    const open = once(async () => {
      opened += 1;
      return { opened };
    });
    const [one, other] = await Promise.all([open(), open()]);
    expect(one).toBe(other);
    expect(await open()).toBe(one);
    expect(opened).toBe(1);
  });

  it('tells all that wait about a failure, and tries again for the next one', async () => {
    let attempts = 0;
    const open = once(() => {
      attempts += 1;
      if (attempts === 1) throw new Error('not yet');
      return 'open';
    });
    const [one, other] = await Promise.allSettled([open(), open()]);
    expect(one).toMatchObject({ reason: new Error('not yet') });
    expect(other).toMatchObject({ reason: new Error('not yet') });
    expect(await open()).toBe('open');
  });
});
