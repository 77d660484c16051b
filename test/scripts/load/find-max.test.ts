import { describe, expect, it } from 'vitest';
import { findMax } from '../../../scripts/load/find-max.ts';

/** Searches where every rate up to `limit` holds; returns what was found, and what was tried. */
async function search(limit: number, first: number, maxSteps = Number.POSITIVE_INFINITY) {
  const tried: number[] = [];
  const found = await findMax(first, async (rate) => {
    if (tried.length === maxSteps) return undefined;
    tried.push(rate);
    return { broken: rate <= limit ? [] : ['p99'] };
  });
  return { found, tried };
}

describe('findMax', () => {
  it('doubles until a rate breaks, and then closes in', async () => {
    const { found, tried } = await search(135, 20);
    expect(tried).toEqual([20, 40, 80, 160, 113, 134, 146, 140]);
    expect(found).toBe(134);
  });

  it('halves when the first rate does not hold', async () => {
    const { found, tried } = await search(13, 100);
    expect(tried).toEqual([100, 50, 25, 13, 18, 15, 14]);
    expect(found).toBe(13);
  });

  it.each([1, 7, 60, 999, 12_345])('comes within 8 %% of %d, and not beyond', async (limit) => {
    const { found } = await search(limit, 20);
    expect(found).toBeLessThanOrEqual(limit);
    expect(found).toBeGreaterThan(limit / 1.081);
  });

  it('finds none where none holds', async () => {
    const { found, tried } = await search(0, 2);
    expect(found).toBeUndefined();
    expect(tried).toEqual([2, 1, 0.5]);
  });

  it('keeps what held until it is stopped', async () => {
    expect(await search(1000, 10, 3)).toEqual({ found: 40, tried: [10, 20, 40] });
  });
});
