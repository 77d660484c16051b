import { readdirSync, readFileSync } from 'node:fs';

/**
 * Memory of all processes of a sandbox but its supervisor, measured through the sandbox's own
 * `/proc`, which shows nobody else. Resident and swapped pages; a process that ends meanwhile is
 * left out.
 *
 * The sum of resident sets counts a page once for each process that shares it, so a server that
 * forks seems to use many times its memory. It is cheap, though, and the true sum (each page
 * shared out among its users) is taken only when the cheap one is above `thresholdBytes`.
 *
 * @param supervisorPid as the worker sees it.
 * @throws when this sandbox's `/proc` may not be read, or is gone.
 */
export function measureTreeMemory(supervisorPid: number, thresholdBytes: number): number {
  const proc = `/proc/${supervisorPid}/root/proc`;
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name) && name !== '1');
  const measure = (file: string, wanted: RegExp) =>
    pids.reduce((bytes, pid) => bytes + bytesIn(`${proc}/${pid}/${file}`, wanted), 0);

  const resident = measure('status', /^Vm(?:RSS|Swap):/);
  return resident <= thresholdBytes ? resident : measure('smaps_rollup', /^(?:Pss|SwapPss):/);
}

/** Adds up the matching `Name:  123 kB` lines; 0 when the process is gone. */
function bytesIn(path: string, wanted: RegExp): number {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return 0;
  }
  const lines = text.split('\n').filter((line) => wanted.test(line));
  return lines.reduce((sum, line) => sum + Number(/\d+/.exec(line)?.[0] ?? 0) * 1024, 0);
}
