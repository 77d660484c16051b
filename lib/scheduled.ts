import { flushMetrics } from './observability/metrics.ts';

/** A function that a schedule invokes. What it has measured is written also when it fails. */
export function scheduled(run: () => Promise<void>): () => Promise<void> {
  return async () => {
    try {
      await run();
    } finally {
      flushMetrics();
    }
  };
}
