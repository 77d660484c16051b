import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process id with what tells it from a later process that was given the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Opaque; differs between any two processes that had this pid. */
  readonly started: string;
}

/** Undefined when there is no such process, or it has ended and waits to be reaped. */
export function identify(pid: number): ProcessIdentity | undefined {
  if (!Number.isInteger(pid) || pid < 1) return undefined; // To a signal these mean groups, or all.
  try {
    const started = process.platform === 'linux' ? linuxStart(pid) : psStart(pid);
    return started === '' ? undefined : { pid, started };
  } catch {
    return undefined;
  }
}

export function isRunning({ pid, started }: ProcessIdentity): boolean {
  const found = identify(pid);
  return found !== undefined && found.started === started;
}

/** Asks a process to end and kills its group when it has not after a while. */
export async function end(
  target: ProcessIdentity,
  signal: NodeJS.Signals,
  graceMs: number,
): Promise<void> {
  if (!isRunning(target)) return;
  sendSignal(target.pid, signal);
  if (await hasGone(target, graceMs)) return;
  sendSignal(-target.pid, 'SIGKILL');
  sendSignal(target.pid, 'SIGKILL');
  await hasGone(target, 1000);
}

async function hasGone(target: ProcessIdentity, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (isRunning(target)) {
    if (Date.now() > deadline) return false;
    await sleep(20);
  }
  return true;
}

/** Sends a signal. That the process has gone already is no error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The boot and, since then, the clock tick of the start: field 22 of proc_pid_stat(5). */
function linuxStart(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The second field is the program's name in brackets, and may hold brackets and spaces itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields[0] === 'Z') return '';
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${boot} ${fields[19]}`;
}

function psStart(pid: number): string {
  const output = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
    encoding: 'utf8',
  });
  const [state = '', ...started] = output.trim().split(/\s+/);
  return state.startsWith('Z') ? '' : started.join(' ');
}
