import { AsyncLocalStorage } from 'node:async_hooks';
import type { Sql } from '../db/connection.ts';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';
import type { OutputChunk } from '../sandbox/sandbox.ts';
import { type OutputBatch, type StreamName, seqBefore, storeOutput } from './output-store.ts';
import type { TaskId } from './task.ts';

/** The pause before output is stored: short, so that somebody who looks on sees it soon ... */
const FIRST_PAUSE_MS = 100;
/** ... and longer each time, so that a command that talks all the time costs a write a second. */
const LONGEST_PAUSE_MS = 1000;
const PAUSE_FACTOR = 1.5;
/** So much is not kept waiting. */
const FLUSH_BYTES = 64 * 1024;
/** Rows of one write. A command that alternates between its streams makes no more of them. */
const MAX_CHUNKS = 16;

/** Stores what a command writes while it runs. */
export interface OutputRecorder {
  add(chunk: OutputChunk): void;
  /** Stops storing, and tells what is not known to be stored: settling is to store that. */
  finish(): Promise<OutputBatch>;
}

interface RecorderDeps {
  readonly sql: Sql;
  readonly logger: Logger;
}

/**
 * Records the output of one attempt. Bytes that no write has taken stay in memory, so a database
 * that is away loses nothing; and a batch that failed is sent again as it was, under the same
 * sequence numbers, because it may have been stored all the same.
 */
export function makeOutputRecorder(
  { sql, logger }: RecorderDeps,
  { taskId, attempt }: { readonly taskId: TaskId; readonly attempt: number },
): OutputRecorder {
  const pending = makePendingOutput();
  let nextSeq = seqBefore(attempt) + 1;
  let failed: OutputBatch | undefined;
  let pauseMs = FIRST_PAUSE_MS;
  let timer: NodeJS.Timeout | undefined;
  let flushing: Promise<void> | undefined;
  let finished = false;

  function takeBatch(): OutputBatch {
    const batch = { firstSeq: nextSeq, chunks: pending.take() };
    nextSeq += batch.chunks.length;
    return batch;
  }

  async function flush(): Promise<void> {
    const batch = failed ?? takeBatch();
    failed = undefined;
    try {
      if (!(await storeOutput(sql, { taskId, attempt }, batch))) finished = true; // The lease keeper ends the run.
    } catch (error) {
      failed = batch;
      logger.warn({ taskId, attempt, ...inOneLine(error) }, 'could not store output yet');
    }
  }

  function schedule(delayMs: number): void {
    if (finished || flushing) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = undefined;
      flushing = flush().finally(() => {
        flushing = undefined;
        pauseMs = Math.min(pauseMs * PAUSE_FACTOR, LONGEST_PAUSE_MS);
        if (failed || pending.bytes > 0) schedule(pauseMs);
      });
    }, delayMs);
  }

  function add(chunk: OutputChunk): void {
    pending.add(chunk);
    const full = pending.bytes >= FLUSH_BYTES && !failed;
    if (full) schedule(0);
    else if (timer === undefined) schedule(pauseMs);
  }

  return {
    // A sandbox serves many and may call from the context of another attempt.
    add: AsyncLocalStorage.bind(add),

    async finish() {
      finished = true;
      clearTimeout(timer);
      await flushing;
      pending.release();
      const rest = takeBatch();
      return failed
        ? { firstSeq: failed.firstSeq, chunks: [...failed.chunks, ...rest.chunks] }
        : rest;
    },
  };
}

/** Output that waits to be stored, in order of arrival. */
function makePendingOutput() {
  let chunks: { stream: StreamName; parts: Buffer[] }[] = [];
  let bytes = 0;
  const held: Record<StreamName, Buffer> = { stdout: Buffer.of(), stderr: Buffer.of() };

  function append(stream: StreamName, part: Buffer): void {
    if (part.length === 0) return;
    bytes += part.length;
    const last = chunks.at(-1);
    const target =
      last?.stream === stream || chunks.length < MAX_CHUNKS
        ? last
        : chunks.findLast((chunk) => chunk.stream === stream);
    if (target?.stream === stream) target.parts.push(part);
    else chunks.push({ stream, parts: [part] });
  }

  return {
    get bytes() {
      return bytes;
    },
    /** A character that has not come wholly is held back: each chunk of a text is to be a text. */
    add({ stream, bytes: added }: OutputChunk): void {
      const all = held[stream].length > 0 ? Buffer.concat([held[stream], added]) : added;
      const whole = all.length - unfinishedCharacter(all);
      held[stream] = all.subarray(whole);
      append(stream, all.subarray(0, whole));
    },
    release(): void {
      for (const stream of ['stdout', 'stderr'] as const) {
        append(stream, held[stream]);
        held[stream] = Buffer.of();
      }
    },
    take() {
      const taken = chunks.map(({ stream, parts }) => ({ stream, bytes: Buffer.concat(parts) }));
      chunks = [];
      bytes = 0;
      return taken;
    },
  };
}

/** How many bytes at the end begin a character of UTF-8 whose others are still to come: 0 to 3. */
function unfinishedCharacter(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if ((byte & 0b1100_0000) === 0b1000_0000) continue; // One that goes on.
    const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}
