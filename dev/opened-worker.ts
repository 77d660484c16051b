import { setTimeout as sleep } from 'node:timers/promises';
import type { SQSEvent } from 'aws-lambda';
import type { EventSourceMapping } from './event-source-mapping.ts';
import type { Invocation } from './lambda-endpoint.ts';

/** Between tries to open a worker that refuses: a missing program may be installed meanwhile. */
const RETRY_MS = 1000;

/**
 * Starts a mapping once its function has taken an empty batch. AWS sends none: it finds out with the
 * first message, which a refusal then hides for the visibility timeout. Here a worker that cannot
 * isolate commands leaves all messages in the queue, and the first task finds an open worker.
 */
export function startWhenOpen(
  invoke: (event: SQSEvent) => Promise<Invocation>,
  start: () => EventSourceMapping,
  report: (refusal: string | undefined) => void,
): EventSourceMapping {
  const stopping = new AbortController();
  const started = open().then((opened) => (opened ? start() : undefined));

  async function open(): Promise<boolean> {
    let refused: string | undefined;
    while (!stopping.signal.aborted) {
      const refusal = await tryToOpen(invoke);
      if (refusal === undefined) {
        if (refused !== undefined) report(undefined);
        return !stopping.signal.aborted;
      }
      if (refusal !== refused) report(refusal);
      refused = refusal;
      await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
    }
    return false;
  }

  return {
    async stop(graceMs) {
      stopping.abort();
      const mapping = await Promise.race([started, sleep(graceMs, undefined, { ref: false })]);
      await mapping?.stop(graceMs);
    },
  };
}

/** Why the function does not open; undefined when it does. */
async function tryToOpen(
  invoke: (event: SQSEvent) => Promise<Invocation>,
): Promise<string | undefined> {
  try {
    const { payload, failed } = await invoke({ Records: [] });
    return failed ? reasonOf(payload) : undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What Lambda answers for a function that threw: https://docs.aws.amazon.com/lambda/latest/dg/nodejs-exceptions.html */
function reasonOf(payload: string): string {
  try {
    return (JSON.parse(payload) as { errorMessage?: string }).errorMessage ?? payload;
  } catch {
    return payload;
  }
}
