import { readdirSync, readFileSync } from 'node:fs';

/** Processes that show `text` among their arguments or in their environment; not this one. */
export function processesWith(text: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      const words = `${read(pid, 'cmdline')}${read(pid, 'environ')}`;
      return words.includes(text) ? [`${pid} ${read(pid, 'cmdline').replaceAll('\0', ' ')}`] : [];
    });
}

/** A process may be gone meanwhile, or another user's. */
function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return '';
  }
}
