import type { Readable, Writable } from 'node:stream';
import { captureOutput } from './capture.ts';
import type { Command, Ending, Limits, Outcome, OutputChunk } from './sandbox.ts';
import { Watch } from './watch.ts';

/** How the first process of a tree ended, as its adapter could find out. */
export interface TreeEnd {
  readonly end: Extract<Ending, { kind: 'exited' | 'signalled' }>;
  /** On the clock of `performance.now()`. */
  readonly endedAtMs: number;
  readonly cpuMs: number | null;
  /** Of the largest process. */
  readonly maxRssBytes: number | null;
}

/** A command that has been started, with all its descendants. Each adapter makes its own. */
export interface ProcessTree {
  /** Null when the command was given an empty stdin. */
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves when the command begins, and stays pending when it never does. */
  readonly started: Promise<void>;
  /**
   * Settles when no process of the tree is left. Null: it was killed before it could tell how it
   * ended. Rejects with a SandboxError when it was never isolated, never started, or lost.
   */
  readonly ended: Promise<TreeEnd | null>;
  /** SIGTERM to the command's process group. */
  terminate(): void;
  /** SIGKILL to every process of the tree. */
  kill(): void;
  /** Memory of the whole tree now, exact only above the threshold; null when it cannot be told. */
  memoryBytes(thresholdBytes: number): number | null;
}

/**
 * Sees a started command to its end: feeds it, keeps its output, holds it to its wall time and
 * memory, obeys the caller's signal. Settles when nothing of the command is left.
 * @throws SandboxError from the tree; whatever `onOutput` threw, after the tree has been killed.
 */
export async function superviseTree(
  tree: ProcessTree,
  command: Command,
  limits: Limits,
  onOutput: (chunk: OutputChunk) => void,
  signal: AbortSignal,
): Promise<Outcome> {
  const watch = new Watch(tree, limits, signal);
  const onChunk = (chunk: OutputChunk) => watch.guard(() => onOutput(chunk));
  const stdout = captureOutput(tree.stdout, 'stdout', limits.stdoutBytes, onChunk);
  const stderr = captureOutput(tree.stderr, 'stderr', limits.stderrBytes, onChunk);
  feed(tree.stdin, command.stdin);
  try {
    const [end] = await Promise.all([tree.ended, stdout.ended, stderr.ended]);
    return {
      ending: watch.endingOf(end),
      stdout: stdout.output(),
      stderr: stderr.output(),
      usage: watch.usageOf(end),
    };
  } finally {
    watch.stop();
    for (const stream of [tree.stdin, tree.stdout, tree.stderr]) stream?.destroy();
  }
}

/** A command need not read its stdin: then the write fails with EPIPE, and that is its own affair. */
function feed(stdin: Writable | null, bytes: Uint8Array): void {
  stdin?.on('error', () => {});
  stdin?.end(bytes);
}

/** The outcome of a command that was cancelled before it began. */
export function abortedBeforeStart(): Outcome {
  const nothing = { bytes: Buffer.alloc(0), totalBytes: 0, truncated: false };
  return {
    ending: { kind: 'aborted' },
    stdout: nothing,
    stderr: nothing,
    usage: { wallMs: 0, cpuMs: null, maxRssBytes: null },
  };
}
