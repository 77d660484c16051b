import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** A lock whose holder has not touched it for so long was left behind. */
const LOCK_STALE_MS = 30_000;
const LOCK_TOUCH_MS = 5_000;

/**
 * Waits for the installation lock and answers how to give it back. Its file holds our process id
 * and is touched while we work: a lock of a dead process, or of one that stopped, is taken over.
 */
export async function lockInstall(project) {
  const directory = join(project, '.errand');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = join(directory, 'install.lock');
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));

  for (let told = false; !tryLink(mine, lock); ) {
    if (isAbandoned(lock)) {
      takeAway(lock, `${mine}.old`);
      continue;
    }
    if (!told) console.error('errand: waiting for another installation in this directory');
    told = true;
    await sleep(200);
  }
  rmSync(mine);
  const touching = setInterval(() => utimesSync(lock, new Date(), new Date()), LOCK_TOUCH_MS);
  return () => {
    clearInterval(touching);
    rmSync(lock, { force: true });
  };
}

/** A link appears whole or not at all, and only one process can make it. */
function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAbandoned(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) return true;
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** By renaming, which one process alone can do. Another's fresh lock is put back. */
function takeAway(lock, aside) {
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (!isAbandoned(aside)) tryLink(aside, lock);
  rmSync(aside, { force: true });
}
