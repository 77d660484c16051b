import { describe, expect, it } from 'vitest';
import { commandOf, MIXES, operationOf } from '../../../scripts/load/mixes.ts';

function countsOf<T>(values: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

describe('a mix', () => {
  it('gives each operation its share, in any thousand requests', () => {
    for (const from of [0, 12_345, 1_000_000]) {
      const numbers = Array.from({ length: 1000 }, (_, n) => from + n);
      const counts = countsOf(numbers.map((number) => operationOf('default', number)));
      for (const [operation, share] of Object.entries(MIXES.default)) {
        const count = counts.get(operation as keyof typeof MIXES.default) ?? 0;
        expect(Math.abs(count - share * 10), operation).toBeLessThanOrEqual(5);
      }
    }
  });

  it('has commands of every kind, and each its share', () => {
    const bodies = Array.from({ length: 1000 }, (_, n) => JSON.stringify(commandOf(n)));
    const counts = [...countsOf(bodies).values()].sort((a, b) => b - a);
    expect(counts.map((count) => Math.round(count / 10))).toEqual([60, 15, 10, 10, 5]);
  });
});
