import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Where a command can leave files: nothing else in a Lambda environment can be written. */
const WRITABLE = ['/tmp', '/dev/shm', '/var/tmp'];
/** How long killed processes may take to be gone. */
const DEATH_MS = 2000;

/** What this environment was before the first command ran in it. */
export interface Baseline {
  readonly pids: ReadonlySet<number>;
  readonly files: ReadonlySet<string>;
  readonly ipc: string;
  readonly limits: string;
}

export function takeBaseline(): Baseline {
  return {
    pids: new Set(processes()),
    files: new Set(files()),
    ipc: ipcObjects(),
    limits: ownLimits(),
  };
}

/**
 * Ends the processes and removes the files that were not there at the start. Resolves with what a
 * clean command would not have left: its launcher has ended its whole tree and emptied its folder.
 */
export async function sweep(baseline: Baseline): Promise<string[]> {
  const suspicious: string[] = [];
  const strays = await endStrays(baseline);
  if (strays.length > 0) suspicious.push(`processes: ${strays.join(', ')}`);
  const left = removeFiles(baseline);
  if (left.length > 0) suspicious.push(`files: ${left.slice(0, 5).join(', ')}`);
  if (ipcObjects() !== baseline.ipc) suspicious.push('System V IPC objects');
  if (ownLimits() !== baseline.limits) suspicious.push('the limits of the runner were changed');
  return suspicious;
}

/** The names of all that had to be killed; with a remark when they do not die. */
async function endStrays(baseline: Baseline): Promise<string[]> {
  const killed = new Map<number, string>();
  const until = performance.now() + DEATH_MS;
  for (;;) {
    const strays = processes().filter((pid) => !baseline.pids.has(pid));
    if (strays.length === 0) return [...killed.values()];
    for (const pid of strays) {
      killed.set(pid, nameOf(pid));
      kill(pid);
    }
    if (performance.now() > until) return [...killed.values(), 'and they do not die'];
    await delay(1);
  }
}

function removeFiles({ files: before }: Baseline): string[] {
  const left = files().filter((path) => !before.has(path));
  for (const path of left) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch {
      // Told below: it is still there.
    }
  }
  return left;
}

/** All but the dead that nobody has waited for yet, who cannot run any more. */
function processes(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0 && !isDead(pid));
}

function isDead(pid: number): boolean {
  const status = read(`/proc/${pid}/stat`);
  return status === '' || /\) [ZX] /.test(status);
}

function nameOf(pid: number): string {
  return read(`/proc/${pid}/comm`).trim() || String(pid);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has gone, or is not ours to kill: then it stays, and is told.
  }
}

function files(): string[] {
  return WRITABLE.flatMap((folder) => list(folder).map((name) => `${folder}/${name}`));
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Shared memory, queues and semaphores outlive their processes. */
function ipcObjects(): string {
  return ['shm', 'msg', 'sem'].map((kind) => read(`/proc/sysvipc/${kind}`)).join('');
}

/** Another process of the same user may change them (prlimit). */
function ownLimits(): string {
  return read('/proc/self/limits');
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
