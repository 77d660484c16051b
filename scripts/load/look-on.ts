import { setTimeout as delay } from 'node:timers/promises';
import type { Client } from './client.ts';
import type { MemorySample, SampleMemory } from './memory.ts';
import type { LiveFigures } from './recorder.ts';

const LOOK_MS = 1000;
const MEMORY_MS = 5000;

/** How it goes, about once a second. */
export interface Progress extends LiveFigures {
  readonly state: 'sending' | 'draining' | 'reading';
  readonly seconds: number;
  /** Of all tasks that the caller sees; undefined while the server does not tell. */
  readonly queued: number | undefined;
  readonly running: number | undefined;
}

interface Look {
  readonly aside: Client;
  readonly recorder: { live(): LiveFigures };
  readonly elapsedMs: () => number;
  readonly onProgress: (progress: Progress) => void;
  readonly sampleMemory: SampleMemory | undefined;
}

/** Asks for the figures once a second, and tells. */
export function lookOn({ aside, recorder, elapsedMs, onProgress, sampleMemory }: Look) {
  const memory: MemorySample[] = [];
  const over = new AbortController();
  let nextSampleMs = 0;
  let state: Progress['state'] = 'sending';
  const looking = (async () => {
    while (!over.signal.aborted) {
      const counts = await readCounts(aside);
      const atMs = elapsedMs();
      if (sampleMemory && atMs >= nextSampleMs) {
        memory.push({ atMs, mb: sampleMemory() });
        nextSampleMs = atMs + MEMORY_MS;
      }
      onProgress({ ...recorder.live(), ...counts, state, seconds: elapsedMs() / 1000 });
      await delay(LOOK_MS, undefined, { signal: over.signal }).catch(() => {});
    }
  })();
  return {
    enter(next: Progress['state']) {
      state = next;
    },
    async end(): Promise<MemorySample[]> {
      over.abort();
      await looking;
      return memory;
    },
  };
}

async function readCounts(aside: Client) {
  const answer = await aside.ask({ method: 'GET', path: '/api/stats' });
  if (answer.kind !== 'answered' || answer.status !== 200) {
    return { queued: undefined, running: undefined };
  }
  const { tasks } = JSON.parse(answer.body) as { tasks: { queued: number; running: number } };
  return { queued: tasks.queued, running: tasks.running };
}
