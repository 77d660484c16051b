import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import type { Pipe, PipeStock } from './pipes.ts';

/** Our ends of a command's pipes. Its stdin is null when it was given an empty one. */
export interface StandardStreams {
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
}

/** The pipes for one command's stdin, stdout and stderr. */
export class StandardPipes {
  readonly #stdin: Pipe | null;
  readonly #stdout: Pipe;
  readonly #stderr: Pipe;

  private constructor(stdin: Pipe | null, stdout: Pipe, stderr: Pipe) {
    this.#stdin = stdin;
    this.#stdout = stdout;
    this.#stderr = stderr;
  }

  /** @throws SandboxError from the stock; the system's error when descriptors run out. */
  static async take(stock: PipeStock, hasStdin: boolean): Promise<StandardPipes> {
    const taken: Pipe[] = [];
    const take = async () => {
      const pipe = await stock.take();
      taken.push(pipe);
      return pipe;
    };
    try {
      return new StandardPipes(hasStdin ? await take() : null, await take(), await take());
    } catch (error) {
      for (const { readFd, writeFd } of taken) closeAll([readFd, writeFd]);
      throw error;
    }
  }

  /** For the child, to be closed here once it has been started. */
  get theirs(): { stdin: number | 'ignore'; stdout: number; stderr: number } {
    return {
      stdin: this.#stdin?.readFd ?? 'ignore',
      stdout: this.#stdout.writeFd,
      stderr: this.#stderr.writeFd,
    };
  }

  /** Turns our ends into streams, which close them from then on. */
  connect(): StandardStreams {
    const readEnd = ({ readFd: fd }: Pipe) => new Socket({ fd, readable: true, writable: false });
    const writeEnd = ({ writeFd: fd }: Pipe) => new Socket({ fd, readable: false, writable: true });
    return {
      stdin: this.#stdin && writeEnd(this.#stdin),
      stdout: readEnd(this.#stdout),
      stderr: readEnd(this.#stderr),
    };
  }

  closeTheirs(): void {
    closeAll([this.#stdin?.readFd, this.#stdout.writeFd, this.#stderr.writeFd]);
  }

  /** Instead of `connect`, when the child could not be started. */
  closeOurs(): void {
    closeAll([this.#stdin?.writeFd, this.#stdout.readFd, this.#stderr.readFd]);
  }
}

function closeAll(fds: readonly (number | undefined)[]): void {
  for (const fd of fds) if (fd !== undefined) closeSync(fd);
}
