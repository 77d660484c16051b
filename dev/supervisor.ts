import type { ChildProcess } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { askToEnd, followLines, hasEnded, howItEnded, killGroup } from './child-process.ts';

/** One process of the local stack. */
export interface Part {
  readonly name: string;
  /** Starts it as the leader of a process group of its own (`detached`), out of Ctrl-C's reach. */
  launch(): ChildProcess;
  /** Resolves when it can serve, with what to tell about it. Rejects when it never will. */
  ready(child: ChildProcess, signal: AbortSignal): Promise<string>;
  /** Resolves, from then on, once it runs and yet can serve no more, with what is wrong. */
  broken?(signal: AbortSignal): Promise<string>;
  readonly stopSignal: NodeJS.Signals;
  /** Between the signal and SIGKILL. */
  readonly stopGraceMs: number;
  /** Where it writes its last words, when not to stdout or stderr. */
  lastWords?(): Promise<readonly string[]>;
}

export type PartEvent =
  | { readonly kind: 'launched'; readonly pid: number }
  | { readonly kind: 'ready'; readonly tookMs: number; readonly detail: string }
  | { readonly kind: 'line'; readonly line: string }
  | {
      readonly kind: 'crashed';
      readonly how: string;
      readonly restartInMs: number;
      readonly lastLines: readonly string[];
    }
  | { readonly kind: 'gave up'; readonly how: string; readonly lastLines: readonly string[] };

export interface RestartPolicy {
  /** As many crashes in a row, and the part is given up. */
  readonly crashes: number;
  /** The same for a part that has never been ready: it is broken, not unlucky. */
  readonly crashesBeforeReady: number;
  /** A part that was ready for so long begins a new row: what it went through before is forgiven. */
  readonly forgivenAfterMs: number;
  /** Doubles with each crash of a row. */
  readonly firstDelayMs: number;
  readonly readyWithinMs: number;
}

export const RESTART_POLICY: RestartPolicy = {
  crashes: 5,
  crashesBeforeReady: 2,
  forgivenAfterMs: 60_000,
  firstDelayMs: 250,
  readyWithinMs: 60_000,
};

export interface Supervised {
  /** Resolves when the part is ready for the first time; rejects when it is given up before. */
  readonly ready: Promise<void>;
  /** Asks it to end, kills it after its grace period. Resolves when no process is left. */
  stop(): Promise<void>;
  /** Kills it now, also while `stop` waits. */
  kill(): void;
}

const LAST_LINES = 15;

/** Keeps a part running: starts it again when it ends by itself, later and later, not for ever. */
export function supervise(
  part: Part,
  report: (event: PartEvent) => void,
  policy: RestartPolicy = RESTART_POLICY,
): Supervised {
  const firstReady = Promise.withResolvers<void>();
  firstReady.promise.catch(() => {});
  const stopping = new AbortController();
  let child: ChildProcess | undefined;
  let everReady = false;
  let readyAt: number | undefined;
  let crashes = 0;

  async function keepRunning(): Promise<void> {
    while (!stopping.signal.aborted) {
      const lines: string[] = [];
      const how = await runOnce(lines);
      if (stopping.signal.aborted) return;

      const forgiven =
        readyAt !== undefined && performance.now() - readyAt >= policy.forgivenAfterMs;
      crashes = forgiven ? 1 : crashes + 1;
      const lastLines = (await part.lastWords?.().catch(() => undefined)) ?? lines;
      if (crashes >= (everReady ? policy.crashes : policy.crashesBeforeReady)) {
        report({ kind: 'gave up', how, lastLines });
        firstReady.reject(new Error(`${part.name} ${how}`));
        return;
      }
      const restartInMs = policy.firstDelayMs * 2 ** (crashes - 1);
      report({ kind: 'crashed', how, restartInMs, lastLines });
      await sleep(restartInMs, undefined, { signal: stopping.signal }).catch(() => {});
    }
  }

  /** From launch to end. Answers how it ended. */
  async function runOnce(lines: string[]): Promise<string> {
    const startedAt = performance.now();
    readyAt = undefined;
    let launched: ChildProcess;
    try {
      launched = part.launch();
    } catch (error) {
      return `could not be started: ${error instanceof Error ? error.message : error}`;
    }
    child = launched;
    if (launched.pid !== undefined) report({ kind: 'launched', pid: launched.pid });
    followLines(launched, (line) => {
      lines.push(line);
      if (lines.length > LAST_LINES) lines.shift();
      report({ kind: 'line', line });
    });
    const ended = howItEnded(launched);

    const gone = new AbortController();
    const signal = AbortSignal.any([gone.signal, AbortSignal.timeout(policy.readyWithinMs)]);
    let wrong: string | undefined;
    await Promise.race([
      ended,
      part.ready(launched, signal).then(
        (detail) => {
          everReady = true;
          readyAt = performance.now();
          report({ kind: 'ready', tookMs: performance.now() - startedAt, detail });
          firstReady.resolve();
          void endWhenBroken(launched, gone.signal).then((what) => {
            wrong = what;
          });
        },
        (error: unknown) => {
          if (hasEnded(launched)) return;
          wrong = `was not ready: ${error instanceof Error ? error.message : error}`;
          killGroup(launched);
        },
      ),
    ]);
    const how = await ended;
    gone.abort();
    killGroup(launched);
    return wrong ?? how;
  }

  async function endWhenBroken(launched: ChildProcess, gone: AbortSignal) {
    const what = await part.broken?.(gone).catch(() => undefined);
    if (what === undefined || gone.aborted || stopping.signal.aborted) return undefined;
    void askToEnd(launched, part.stopSignal, part.stopGraceMs);
    return what;
  }

  const running = keepRunning();
  return {
    ready: firstReady.promise,
    async stop() {
      stopping.abort();
      const current = child;
      if (current !== undefined && !hasEnded(current)) {
        await askToEnd(current, part.stopSignal, part.stopGraceMs);
      }
      await running;
    },
    kill() {
      stopping.abort();
      if (child !== undefined) killGroup(child);
    },
  };
}
