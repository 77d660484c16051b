import type { ProcessTree, TreeEnd } from './process.ts';
import { type Ending, type Limits, type Outcome, SandboxError } from './sandbox.ts';

/** Between SIGTERM and SIGKILL when the wall time is over. */
const GRACE_MS = 2000;

/** How often memory is measured: at 2 GB/s a process is 40 MB past its limit before we see it. */
const MEMORY_INTERVAL_MS = 20;

/** Measuring a tree of many processes may take this share of the worker's time, no more. */
const MEMORY_DUTY = 0.1;

/** Ends a tree when its time, its memory or the caller's patience is over, and knows which it was. */
export class Watch {
  readonly #tree: ProcessTree;
  readonly #limits: Limits;
  readonly #signal: AbortSignal;
  readonly #onAbort = () => this.#endFor({ kind: 'aborted' }, () => this.#tree.kill());
  #cause: { readonly ending: Ending; readonly atMs: number } | undefined;
  #callerError: { readonly error: unknown } | undefined;
  #startedAtMs: number | undefined;
  #peakBytes: number | null = null;
  #wallTimer: NodeJS.Timeout | undefined;
  #memoryTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(tree: ProcessTree, limits: Limits, signal: AbortSignal) {
    this.#tree = tree;
    this.#limits = limits;
    this.#signal = signal;
    signal.addEventListener('abort', this.#onAbort);
    if (signal.aborted) this.#onAbort();
    tree.started.then(() => this.#start());
  }

  /** Runs the caller's code; when it throws, the tree is killed and `endingOf` throws the same. */
  guard(callback: () => void): void {
    if (this.#callerError !== undefined) return;
    try {
      callback();
    } catch (error) {
      this.#callerError = { error };
      this.#tree.kill();
    }
  }

  /** What ended the command: the limit that we enforced before it ended, else the command itself. */
  endingOf(end: TreeEnd | null): Ending {
    if (this.#callerError !== undefined) throw this.#callerError.error;
    const cause = this.#cause;
    if (cause !== undefined && (end === null || cause.atMs <= end.endedAtMs)) return cause.ending;
    if (end === null) throw new SandboxError('the command was killed from outside the sandbox');
    return end.end;
  }

  usageOf(end: TreeEnd | null): Outcome['usage'] {
    const startedAtMs = this.#startedAtMs ?? performance.now();
    const bytes = [this.#peakBytes, end?.maxRssBytes ?? null].filter((value) => value !== null);
    return {
      wallMs: (end?.endedAtMs ?? performance.now()) - startedAtMs,
      cpuMs: end?.cpuMs ?? null,
      maxRssBytes: bytes.length === 0 ? null : Math.max(...bytes),
    };
  }

  stop(): void {
    this.#stopped = true;
    this.#signal.removeEventListener('abort', this.#onAbort);
    clearTimeout(this.#wallTimer);
    clearTimeout(this.#memoryTimer);
  }

  #start(): void {
    if (this.#stopped) return;
    this.#startedAtMs = performance.now();
    this.#wallTimer = setTimeout(() => this.#onWallTime(), this.#limits.wallMs);
    this.#measureIn(MEMORY_INTERVAL_MS);
  }

  #onWallTime(): void {
    this.#endFor({ kind: 'timedOut', limitMs: this.#limits.wallMs }, () => this.#tree.terminate());
    this.#wallTimer = setTimeout(() => this.#tree.kill(), GRACE_MS);
  }

  #measureIn(delayMs: number): void {
    this.#memoryTimer = setTimeout(() => {
      const beganAtMs = performance.now();
      this.#measure();
      const tookMs = performance.now() - beganAtMs;
      this.#measureIn(Math.max(MEMORY_INTERVAL_MS, tookMs / MEMORY_DUTY));
    }, delayMs);
  }

  #measure(): void {
    const limitBytes = this.#limits.memoryBytes;
    const bytes = this.#tree.memoryBytes(limitBytes);
    if (bytes === null) return;
    this.#peakBytes = Math.max(this.#peakBytes ?? 0, bytes);
    if (bytes > limitBytes) {
      this.#endFor({ kind: 'outOfMemory', limitBytes }, () => this.#tree.kill());
    }
  }

  /** The first cause is the true one; a later one may still be the more urgent. */
  #endFor(ending: Ending, act: () => void): void {
    this.#cause ??= { ending, atMs: performance.now() };
    act();
  }
}
