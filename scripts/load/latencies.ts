import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';

const MAX_MS = 3_600_000;

/** Of durations, in milliseconds; null when there were none. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/**
 * Durations by value, so that a percentile of a million costs what one of ten costs. This is Node's
 * own HdrHistogram, in microseconds, exact to `figures` significant figures.
 */
export interface Latencies {
  record(ms: number): void;
  percentiles(): Percentiles;
}

export function openLatencies(figures: 2 | 3 = 3): Latencies {
  const histogram = createHistogram({ lowest: 1, highest: MAX_MS * 1000, figures });
  return {
    record: (ms) => histogram.record(Math.round(Math.min(Math.max(ms, 0.001), MAX_MS) * 1000)),
    percentiles: () => ({
      p50: at(histogram, 50),
      p90: at(histogram, 90),
      p99: at(histogram, 99),
      p999: at(histogram, 99.9),
      max: at(histogram, 100),
    }),
  };
}

function at(histogram: RecordableHistogram, percent: number): number | null {
  return histogram.count === 0 ? null : histogram.percentile(percent) / 1000;
}
