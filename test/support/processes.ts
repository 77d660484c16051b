import { readdirSync, readFileSync } from 'node:fs';

/** A number that no other process of this machine has in its command line. */
export function uniqueSeconds(): string {
  return `${100_000 + Math.floor(Math.random() * 800_000)}.${process.pid}`;
}

/** The host's pids whose command line holds the text, zombies left out. */
export function processesWith(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(text);
      } catch {
        return false; // it ended while we looked
      }
    })
    .map(Number);
}

/** Processes that a process has started and not reaped; none when it is gone itself. */
export function childrenOf(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return list.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}
