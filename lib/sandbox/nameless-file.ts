import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Bytes in a file that no longer has a name: a child can read them through a descriptor, nobody
 * can open them by path, and a crash of ours leaves nothing behind.
 */
export class NamelessFile {
  readonly #fd: number;

  constructor(content: Uint8Array) {
    const folder = mkdtempSync(join(tmpdir(), 'errand-'));
    try {
      const path = join(folder, 'content');
      writeFileSync(path, content, { mode: 0o400 });
      this.#fd = openSync(path, 'r');
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /**
   * A new descriptor at offset 0. Each child needs its own: descriptors that were inherited from
   * one open share their offset, so the second reader would find the end of the file.
   */
  open(): number {
    return openSync(`/proc/self/fd/${this.#fd}`, 'r');
  }

  close(): void {
    closeSync(this.#fd);
  }
}
