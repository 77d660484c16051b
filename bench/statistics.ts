/** Calls `work` that many times, so many at once, and returns the results. */
export async function inParallel<T>(
  times: number,
  concurrency: number,
  work: () => Promise<T>,
): Promise<T[]> {
  const results: T[] = [];
  let left = times;
  async function worker() {
    while (left > 0) {
      left -= 1;
      results.push(await work());
    }
  }
  await Promise.all(Array.from({ length: concurrency }, worker));
  return results;
}

/** The value that `percent` of the values do not pass (nearest rank). */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const rank = Math.ceil((percent / 100) * sorted.length);
  return sorted[Math.max(0, rank - 1)] ?? Number.NaN;
}
