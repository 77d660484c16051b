import { execFile } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { SandboxError } from './sandbox.ts';

const O_PATH = 0o10000000; // open(2); the same on x64 and arm64, not in node:fs constants

/** How many pipes one `mkfifo` makes: 2 ms of start-up, spread over about twenty commands. */
const PIPES_PER_BATCH = 48;

/** Both ends of a new pipe. Whoever takes it closes both. */
export interface Pipe {
  readonly readFd: number;
  readonly writeFd: number;
}

/**
 * Real pipes for a command's standard streams, each used once.
 *
 * Node connects a child through socket pairs, and a socket cannot be opened again by path: in such
 * a child `echo oops > /dev/stderr` and `cat /dev/stdin` fail with "No such device or address".
 * FIFOs that have lost their names behave as `pipe(2)` does. A used one is never handed out again,
 * so one command cannot leave a mode or a timestamp for the next to find.
 */
export class PipeStock {
  readonly #nameless: number[] = [];
  #refill: Promise<void> | undefined;
  #closed = false;

  /** @throws SandboxError when `mkfifo` does not work here. */
  async take(): Promise<Pipe> {
    for (;;) {
      const nameless = this.#nameless.pop();
      if (nameless !== undefined) return openBothEnds(nameless);
      if (this.#closed) throw new SandboxError('the sandbox is closed');
      this.#refill ??= this.#addBatch().finally(() => {
        this.#refill = undefined;
      });
      await this.#refill;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#refill?.catch(() => {});
    for (const fd of this.#nameless.splice(0)) closeSync(fd);
  }

  async #addBatch(): Promise<void> {
    const folder = await mkdtemp(join(tmpdir(), 'errand-'));
    try {
      const paths = Array.from({ length: PIPES_PER_BATCH }, (_, index) => join(folder, `${index}`));
      // Others than the owner need the right to reopen it, because the command runs as another
      // user when the worker is root. The folder keeps everybody else out.
      await promisify(execFile)('mkfifo', ['-m', '666', ...paths]);
      for (const path of paths) this.#nameless.push(openSync(path, O_PATH));
    } catch (error) {
      throw new SandboxError('mkfifo (coreutils) is needed to make pipes and failed', {
        cause: error,
      });
    } finally {
      await rm(folder, { recursive: true });
    }
  }
}

/** Opened for both directions first, since opening one end alone waits for the other. */
function openBothEnds(nameless: number): Pipe {
  const path = `/proc/self/fd/${nameless}`;
  const opened: number[] = [];
  const open = (flags: string) => {
    const fd = openSync(path, flags);
    opened.push(fd);
    return fd;
  };
  try {
    const both = open('r+');
    const pipe = { readFd: open('r'), writeFd: open('w') };
    closeSync(both);
    return pipe;
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  } finally {
    closeSync(nameless);
  }
}
