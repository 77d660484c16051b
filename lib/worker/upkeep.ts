import { setTimeout as delay } from 'node:timers/promises';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';

/** A chore that failed is not left undone for an hour. */
const RETRY_MS = 60_000;

export interface Chore {
  readonly name: string;
  readonly everyMs: number;
  readonly run: () => Promise<unknown>;
}

/**
 * Does chores again and again, each one never while it is still running. Where there are several
 * such processes they all do them: each row that is due goes to one of them (`for update skip
 * locked`), so one more costs a few queries a second and one less is no loss.
 */
export function startUpkeep(
  chores: readonly Chore[],
  logger: Logger,
): { readonly stop: () => Promise<void> } {
  const stopping = new AbortController();
  const { signal } = stopping;

  async function keepUp({ name, everyMs, run }: Chore): Promise<void> {
    let failing = false;
    while (!signal.aborted) {
      const startedAt = performance.now();
      try {
        await run();
        if (failing) logger.info({ chore: name }, 'works again');
        failing = false;
      } catch (error) {
        // The first of a row tells all: the others would say the same every second.
        if (!failing)
          logger.warn({ chore: name, ...inOneLine(error) }, 'failed, and is tried again');
        failing = true;
      }
      const pauseMs = failing ? Math.min(everyMs, RETRY_MS) : everyMs;
      const rest = Math.max(0, pauseMs - (performance.now() - startedAt));
      await delay(rest, undefined, { signal }).catch(() => {});
    }
  }

  const running = Promise.all(chores.map(keepUp));
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}
