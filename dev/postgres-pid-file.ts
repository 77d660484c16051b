import { readFile, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { end, identify } from './processes.ts';

const LEFTOVER_GRACE_MS = 3000;

/**
 * Postgres refuses to start while the process named in its pid file exists: also as a zombie that
 * nobody reaps, and when the number meanwhile belongs to another program. A live server of this
 * directory is ended. Then our own id is put there: Postgres knows that its parent is no server,
 * and still cleans up the shared memory that the rest of the file names.
 */
export async function clearStalePid(dataDirectory: string): Promise<void> {
  const file = join(dataDirectory, 'postmaster.pid');
  const content = await readFile(file, 'utf8').catch(() => '');
  if (content === '') return;
  const [pid, ...rest] = content.split('\n');
  const holder = identify(Number(pid));
  if (holder !== undefined) {
    const workingDirectory = await readlink(`/proc/${holder.pid}/cwd`).catch(() => undefined);
    if (workingDirectory === undefined) return; // Not Linux, or not ours to see: Postgres decides.
    if (workingDirectory === dataDirectory) await end(holder, 'SIGINT', LEFTOVER_GRACE_MS);
  }
  await writeFile(file, [process.pid, ...rest].join('\n'));
}
