import { setTimeout as delay } from 'node:timers/promises';

/** How late a cancellation is seen at most, and what it costs: one request of S3 each time. */
const ASK_EVERY_MS = 1000;
const ANSWER_MS = 3000;

/**
 * Asks until `url` answers 200, and calls `onCancelled` then. Most commands end before the first
 * question. Whatever else is answered, or not, means that the command goes on.
 */
export async function watchCancellation(
  url: string | undefined,
  onCancelled: () => void,
  over: AbortSignal,
): Promise<void> {
  if (url === undefined) return;
  try {
    for (;;) {
      await delay(ASK_EVERY_MS, undefined, { signal: over });
      if (await isThere(url, over)) return onCancelled();
    }
  } catch {
    // The command is over.
  }
}

async function isThere(url: string, over: AbortSignal): Promise<boolean> {
  try {
    const answer = await fetch(url, {
      signal: AbortSignal.any([over, AbortSignal.timeout(ANSWER_MS)]),
    });
    await answer.body?.cancel();
    return answer.status === 200;
  } catch {
    over.throwIfAborted();
    return false;
  }
}
