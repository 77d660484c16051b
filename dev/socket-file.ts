import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

const CHECK_MS = 500;

/**
 * Resolves once the file is not the one that it is now. A server does not notice when somebody
 * removes its socket: it goes on listening where nobody can connect. Rejects when aborted.
 */
export async function untilReplaced(path: string, signal: AbortSignal): Promise<void> {
  const first = await inode(path);
  while (first !== undefined && (await inode(path)) === first) {
    await sleep(CHECK_MS, undefined, { signal });
  }
}

async function inode(path: string): Promise<bigint | undefined> {
  return stat(path, { bigint: true }).then(
    ({ ino }) => ino,
    () => undefined,
  );
}
