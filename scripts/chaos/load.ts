import { setTimeout as delay } from 'node:timers/promises';
import type { TaskId } from '../../lib/tasks/task.ts';

const CLIENTS = 8;
const TRY_AGAIN_MS = 200;
const REQUEST_MS = 20_000;

/**
 * Tasks of many kinds: quick and slow, failing, delayed, ones that must not start twice. Each shows
 * `mark` in the list of processes while it runs.
 */
function aRequest(n: number, mark: string): Record<string, unknown> {
  const kinds: Record<string, unknown>[] = [
    { command: `: ${mark}; echo hello` },
    { command: `: ${mark}; echo hello` },
    { command: `: ${mark}; sleep 0.2; echo slept` },
    { command: `: ${mark}; (sleep 1 & sleep 1; wait); echo slept` },
    { command: `: ${mark}; exit 3`, maxAttempts: 3, retryDelaySeconds: 1 },
    { command: `: ${mark}; kill -9 $$` },
    { command: `: ${mark}; sleep 0.1; echo later`, delaySeconds: 3 },
    { command: `: ${mark}; sleep 0.3; echo once`, onWorkerLost: 'fail' },
    { command: `: ${mark}; sleep 30`, timeoutSeconds: 1 },
    { command: `: ${mark}; cat`, stdin: 'x'.repeat(10_000) },
  ];
  return { ...kinds[n % kinds.length], labels: { chaos: String(n) } };
}

/** Sends `count` tasks over HTTP in about `seconds`. A request that is not accepted is sent again. */
export async function submitTasks(
  url: string,
  { count, seconds, mark }: { count: number; seconds: number; mark: string },
): Promise<TaskId[]> {
  const accepted: TaskId[] = [];
  const startedAt = performance.now();
  let next = 0;
  const client = async () => {
    for (let n = next++; n < count; n = next++) {
      const dueMs = startedAt + (n / count) * seconds * 1000;
      await delay(Math.max(0, dueMs - performance.now()));
      accepted.push(await submit(url, aRequest(n, mark)));
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return accepted;
}

async function submit(url: string, request: Record<string, unknown>): Promise<TaskId> {
  for (;;) {
    try {
      const response = await fetch(`${url}/api/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
        signal: AbortSignal.timeout(REQUEST_MS),
      });
      if (response.status === 202) return ((await response.json()) as { id: TaskId }).id;
      if (response.status < 500) throw new Error(`${response.status}: ${await response.text()}`);
    } catch (error) {
      // Refused or cut off: whether that one was stored, nobody can tell the client.
      if (error instanceof Error && /^4\d\d/.test(error.message)) throw error;
    }
    await delay(TRY_AGAIN_MS);
  }
}
