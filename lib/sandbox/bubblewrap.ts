import { closeSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname } from 'node:path';
import {
  baseEnvironment,
  bubblewrapArguments,
  hostMounts,
  syntheticFiles,
} from './bubblewrap-arguments.ts';
import { BubblewrapTree } from './bubblewrap-tree.ts';
import { NamelessFile } from './nameless-file.ts';
import { PipeStock } from './pipes.ts';
import { abortedBeforeStart, superviseTree } from './process.ts';
import {
  type Command,
  type Limits,
  type Outcome,
  type OutputChunk,
  type Sandbox,
  SandboxError,
} from './sandbox.ts';
import { seccompProgram } from './seccomp.ts';
import { StandardPipes } from './standard-pipes.ts';
import { encodeJob } from './supervisor.ts';
import type { Architecture } from './syscalls.ts';

/** `nobody`: the kernel does not hold root to RLIMIT_NPROC, so a worker that is root steps down. */
const UNPRIVILEGED_UID = 65534;

/** Isolates with bubblewrap: namespaces, seccomp, resource limits. The strongest tier. */
export class Bubblewrap implements Sandbox {
  readonly tier = 'namespaces';
  readonly #program: string;
  readonly #architecture: Architecture;
  readonly #host = hostMounts(ownFolders());
  readonly #stock = new PipeStock();
  /** The seccomp program, then the synthetic files in their order. */
  readonly #files: readonly NamelessFile[];
  readonly #running = new Set<Promise<unknown>>();

  /**
   * @param program bwrap, by path or by name in the system's usual folders.
   * @throws SandboxError on an architecture without a seccomp table.
   */
  constructor(program = 'bwrap') {
    this.#program = program;
    if (process.arch !== 'x64' && process.arch !== 'arm64') {
      throw new SandboxError(`no seccomp table for ${process.arch}; x64 and arm64 have one`);
    }
    this.#architecture = process.arch;
    this.#files = [
      seccompProgram(process.arch),
      ...Object.values(syntheticFiles).map((text) => Buffer.from(text)),
    ].map((content) => new NamelessFile(content));
  }

  async run(
    command: Command,
    limits: Limits,
    onOutput: (chunk: OutputChunk) => void,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const run = this.#run(command, limits, onOutput, signal);
    this.#running.add(run);
    return run.finally(() => this.#running.delete(run));
  }

  /** Waits for the commands that are still running; abort them first to have it at once. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#running);
    await this.#stock.close();
    for (const file of this.#files) file.close();
  }

  async #run(
    command: Command,
    limits: Limits,
    onOutput: (chunk: OutputChunk) => void,
    signal: AbortSignal,
  ): Promise<Outcome> {
    if (signal.aborted) return abortedBeforeStart();
    const tree = await this.#start(command, limits);
    return superviseTree(tree, command, limits, onOutput, signal);
  }

  async #start(command: Command, limits: Limits): Promise<BubblewrapTree> {
    const env = { ...baseEnvironment, ...command.env };
    const job = encodeJob({ ...command, env }, limits, this.#architecture);
    const pipes = await StandardPipes.take(this.#stock, command.stdin.length > 0);
    const files: number[] = [];
    try {
      for (const file of this.#files) files.push(file.open());
      return new BubblewrapTree({
        program: this.#program,
        args: bubblewrapArguments(this.#host, limits.diskBytes),
        uid: process.getuid?.() === 0 ? UNPRIVILEGED_UID : undefined,
        files,
        pipes,
        job,
      });
    } catch (cause) {
      pipes.closeOurs();
      throw new SandboxError('bwrap could not be started', { cause });
    } finally {
      // The child has its own copies by now, and only they may hold the pipes open.
      pipes.closeTheirs();
      for (const fd of files) closeSync(fd);
    }
  }
}

/** Where our own code and settings lie: images often put them below `/usr/src`. */
function ownFolders(): string[] {
  const manifest = findPackageJSON(import.meta.url);
  return manifest === undefined ? [] : [dirname(manifest)];
}
