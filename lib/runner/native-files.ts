import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A file of `native/prebuilt` for this machine, found from `start` upwards: a bundle lies elsewhere
 * than its sources, and in the zip of a function these files lie where they do here.
 */
export function nativeFile(name: string, start = import.meta.dirname): string {
  const path = join('native', 'prebuilt', `${process.platform}-${process.arch}`, name);
  for (let folder = start; ; folder = dirname(folder)) {
    const candidate = join(folder, path);
    if (existsSync(candidate) || folder === dirname(folder)) return candidate;
  }
}
