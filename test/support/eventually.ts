import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 10;

/** Resolves once the assertion holds. Rejects with its last complaint when it never does. */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  deadlineMs = 5000,
): Promise<T> {
  const deadline = performance.now() + deadlineMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > deadline) throw error;
      await delay(INTERVAL_MS);
    }
  }
}
