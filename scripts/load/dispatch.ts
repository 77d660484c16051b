import { setTimeout as delay } from 'node:timers/promises';

/** At the latest so often others get their turn when requests are due faster than they are sent. */
const MAX_TURN_MS = 10;

export interface Dispatch {
  /** When each request is due, in milliseconds from the start. */
  readonly arrivals: Iterable<number>;
  /** So many requests may be without an answer; what is due beyond that is not sent. */
  readonly maxOpen: number;
  /** `startedAt` is that of the whole run, in the time of `performance.now()`. Must not reject. */
  send(arrival: Arrival): Promise<void>;
  /** Called in place of `send` for a request that was due beyond the bound. */
  unsent(arrival: Arrival): void;
  /** No more is sent once it is aborted. */
  readonly signal: AbortSignal;
}

export interface Arrival {
  /** Counted from 0. */
  readonly number: number;
  /** When it is due, in milliseconds from the start of the run. */
  readonly dueMs: number;
  /** When it became its turn: later than it was due by as much as this process was late. */
  readonly sentMs: number;
}

/** An open model: what is due is sent, whether or not what went before was answered. */
export async function dispatch(work: Dispatch, startedAt = performance.now()): Promise<void> {
  const open = new Set<Promise<void>>();
  const elapsedMs = () => performance.now() - startedAt;
  let turnMs = elapsedMs();
  let number = 0;
  for (const dueMs of work.arrivals) {
    // A timer may fire a little early, and nothing is sent before it is due.
    while (!work.signal.aborted && (elapsedMs() < dueMs || elapsedMs() - turnMs > MAX_TURN_MS)) {
      const earlyMs = Math.max(0, Math.ceil(dueMs - elapsedMs()));
      await delay(earlyMs, undefined, { signal: work.signal }).catch(() => {});
      turnMs = elapsedMs();
    }
    if (work.signal.aborted) break;

    const arrival = { number: number++, dueMs, sentMs: elapsedMs() };
    if (open.size >= work.maxOpen) {
      work.unsent(arrival);
      continue;
    }
    const sent = work.send(arrival).finally(() => open.delete(sent));
    open.add(sent);
  }
  await Promise.all(open);
}
