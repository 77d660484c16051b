import type { Readable } from 'node:stream';
import type { CapturedOutput, OutputChunk } from './sandbox.ts';

/** One output stream of a command, kept up to its limit and counted beyond it. */
export interface Capture {
  /** Resolves when nobody can write to the stream any more. */
  readonly ended: Promise<void>;
  output(): CapturedOutput;
}

/**
 * Reads a stream to its end. The kept bytes stop exactly at `maxBytes`; reading goes on, so that
 * a command with much to say is neither blocked nor killed. `onChunk` sees kept bytes only.
 */
export function captureOutput(
  readable: Readable,
  stream: OutputChunk['stream'],
  maxBytes: number,
  onChunk: (chunk: OutputChunk) => void,
): Capture {
  const kept: Buffer[] = [];
  let keptBytes = 0;
  let totalBytes = 0;

  readable.on('data', (data: Buffer) => {
    totalBytes += data.length;
    const bytes = data.subarray(0, maxBytes - keptBytes);
    if (bytes.length === 0) return;
    keptBytes += bytes.length;
    kept.push(bytes);
    onChunk({ stream, bytes });
  });

  return {
    ended: new Promise((resolve, reject) => {
      readable.once('close', resolve);
      readable.once('error', reject);
    }),
    output: () => ({ bytes: Buffer.concat(kept), totalBytes, truncated: totalBytes > keptBytes }),
  };
}
