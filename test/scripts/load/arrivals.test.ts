import { describe, expect, it } from 'vitest';
import { arrivals } from '../../../scripts/load/arrivals.ts';

const dueTimes = (...phases: [from: number, to: number, seconds: number][]) =>
  [...arrivals(phases.map(([fromRate, toRate, seconds]) => ({ fromRate, toRate, seconds })))].map(
    (ms) => Math.round(ms * 1000) / 1000,
  );

describe('arrivals', () => {
  it('come at even distances at a steady rate', () => {
    expect(dueTimes([4, 4, 2])).toEqual([0, 250, 500, 750, 1000, 1250, 1500, 1750]);
  });

  it('do not drift: after a day at 3/s the last one is due where it was due at the beginning', () => {
    let count = 0;
    let last = 0;
    for (const dueMs of arrivals([{ fromRate: 3, toRate: 3, seconds: 86_400 }])) {
      count++;
      last = dueMs;
    }
    expect(count).toBe(259_200);
    expect(last).toBeCloseTo(86_400_000 - 1000 / 3, 3);
  });

  it('change from one rate to the next', () => {
    expect(dueTimes([2, 2, 1], [5, 5, 1])).toEqual([0, 500, 1000, 1200, 1400, 1600, 1800]);
  });

  it('come ever closer while the rate grows: so many that they are the area below it', () => {
    // The n-th is due when n = t², for a rate of 2t.
    expect(dueTimes([0, 8, 4])).toHaveLength(16);
    expect(dueTimes([0, 8, 4]).slice(0, 5)).toEqual([0, 1000, 1414.214, 1732.051, 2000]);
  });

  it('come ever further apart while it falls to nothing', () => {
    const due = dueTimes([8, 0, 4]);
    expect(due).toHaveLength(16);
    expect([due[0], due[7], due[12], due[15]]).toEqual([0, 1000, 2000, 3000]);
  });

  it('keep what a phase had begun of a request', () => {
    // 1.5 requests, and 1.5 more: the third is due a third into the second phase.
    expect(dueTimes([1.5, 1.5, 1], [1.5, 1.5, 1])).toEqual([0, 666.667, 1333.333]);
  });
});
