import { describe, expect, it } from 'vitest';
import { linearScale, logScale, timeScale } from '../../../scripts/load/scale.ts';

describe('a linear scale', () => {
  it.each([
    [0, [0, 0.2, 0.4, 0.6, 0.8, 1].slice(0, 2)],
    [1, [0, 0.2, 0.4, 0.6, 0.8, 1]],
    [47, [0, 10, 20, 30, 40, 50]],
    [500, [0, 100, 200, 300, 400, 500]],
    [3832, [0, 1000, 2000, 3000, 4000]],
  ])('reaches to %d by round steps', (most, ticks) => {
    expect(linearScale(most).ticks.map((tick) => Number(tick.toFixed(6)))).toEqual(ticks);
    expect(linearScale(most).at(most)).toBeLessThanOrEqual(1);
  });
});

describe('a log scale', () => {
  it('has powers of ten around what is there, two at least', () => {
    expect(logScale(8, 2500).ticks).toEqual([1, 10, 100, 1000, 10_000]);
    expect(logScale(10, 10).ticks).toEqual([10, 100]);
    expect(logScale(10, 1000).at(100)).toBeCloseTo(0.5);
  });

  it('shows what lies below it at its foot', () => {
    expect(logScale(1, 10).at(0.001)).toBe(0);
  });
});

describe('a scale of time', () => {
  it.each([
    [10, 1],
    [141, 15],
    [3600, 600],
    [86_400, 10_000],
  ])('of %d seconds has a mark every %d', (end, step) => {
    const { ticks, at } = timeScale(end);
    expect((ticks[1] ?? 0) - (ticks[0] ?? 0)).toBe(step);
    expect(at(end)).toBe(1);
  });
});
