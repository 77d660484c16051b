import { readdirSync, readFileSync, statfsSync } from 'node:fs';

/** Kernel memory of one file in tmpfs, however empty: a tmpfs has a size, but no bound on these. */
const INODE_BYTES = 1024;

/**
 * How often the exact sum must be above the limit, in a row: the processes are read one after the
 * other, and a page whose users end meanwhile is counted as theirs and then as their survivors'
 * (seen: eight processes that shared 40 MB and ended together, counted as more than 96).
 */
const LOOKS = 3;

/**
 * Memory of all processes of a sandbox but its supervisor, measured through the sandbox's own
 * `/proc`, which shows nobody else. Resident and swapped pages; a process that ends meanwhile is
 * left out. The files in `/var` count by number; their content is bounded by the disk limit.
 *
 * The sum of resident sets counts a page once for each process that shares it, so a server that
 * forks seems to use many times its memory. It is cheap, though, and the true sum (each page
 * shared out among its users) is taken only when the cheap one is above `thresholdBytes`.
 *
 * A cgroup for each command was tried instead. It would be a harder bound, but where it can be had
 * at all (mostly: root, outside of a container) it cost 3 to 5 ms and a fifth of the throughput,
 * since each move into a cgroup holds up every fork of the machine.
 *
 * @param supervisorPid as the worker sees it.
 * @throws when this sandbox's `/proc` may not be read, or is gone.
 */
export function measureTreeMemory(supervisorPid: number, thresholdBytes: number): number {
  const root = `/proc/${supervisorPid}/root`;
  const { files, ffree } = statfsSync(`${root}/var`);
  const inodes = (files - ffree) * INODE_BYTES;

  const resident = inodes + sumOf(`${root}/proc`, 'status', /^Vm(?:RSS|Swap):/);
  if (resident <= thresholdBytes) return resident;

  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < LOOKS && least > thresholdBytes; look += 1) {
    const exact = inodes + sumOf(`${root}/proc`, 'smaps_rollup', /^(?:Pss|SwapPss):/);
    least = Math.min(least, exact);
  }
  return least;
}

function sumOf(proc: string, file: string, wanted: RegExp): number {
  const pids = readdirSync(proc).filter((name) => /^\d+$/.test(name) && name !== '1');
  return pids.reduce((bytes, pid) => bytes + bytesIn(`${proc}/${pid}/${file}`, wanted), 0);
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
