import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { watchCancellation } from './cancellation.ts';

export interface LauncherRun {
  /** Path of the launcher binary for this machine. */
  readonly launcher: string;
  readonly request: Buffer;
  readonly cancelUrl: string | undefined;
  /** Fires when the environment is about to end. */
  readonly deadline: AbortSignal;
  readonly onBytes: (bytes: Buffer) => void;
}

/**
 * Has a launcher of its own run one command, and hands on what it answers, unread. Resolves when the
 * launcher has ended, and with it, as far as it could, all that the command had started.
 * @throws Error with the launcher's complaint when it ended badly
 */
export async function runLauncher(run: LauncherRun): Promise<void> {
  const scratch = await mkdtemp(join(tmpdir(), 'errand-'));
  const cancelled = new AbortController();
  try {
    const child = spawn(
      run.launcher,
      ['run', '--connection', '3', '--tier', 'runner', '--scratch', scratch],
      { cwd: '/', env: {}, stdio: ['ignore', 'ignore', 'pipe', 'pipe'] },
    );
    let complaints = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      complaints = (complaints + bytes.toString()).slice(-1000);
    });
    const ended = once(child, 'exit');
    const connection = child.stdio[3] as Duplex;
    connection.on('error', () => {}); // The launcher died first: its exit code tells.
    connection.on('data', run.onBytes);
    const answered = new Promise((resolve) => connection.once('close', resolve));
    connection.write(run.request);

    // Half a close: the launcher kills the whole tree at once, and its report still comes.
    const end = () => connection.end();
    run.deadline.addEventListener('abort', end, { once: true });
    watchCancellation(run.cancelUrl, end, cancelled.signal);
    const [code, signal] = await ended;
    run.deadline.removeEventListener('abort', end);
    await answered;
    if (code !== 0) throw new Error(`launcher: ${signal ?? code} ${complaints.trim()}`);
  } finally {
    cancelled.abort();
    await rm(scratch, { recursive: true, force: true });
  }
}
