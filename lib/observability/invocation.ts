import { flushMetrics } from './metrics.ts';
import { sendSpans } from './tracing.ts';

/**
 * Runs an invocation of a function. What it measured is written, and its spans are sent where they have
 * to be, before it ends: Lambda may freeze the process right after.
 */
export async function invocation<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } finally {
    flushMetrics();
    await sendSpans();
  }
}

/** A function that a schedule invokes. */
export function scheduled(run: () => Promise<void>): () => Promise<void> {
  return () => invocation(run);
}
