import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex, Readable, Writable } from 'node:stream';
import { baseEnvironment } from './bubblewrap-arguments.ts';
import type { ProcessTree, TreeEnd } from './process.ts';
import { SandboxError } from './sandbox.ts';
import type { StandardPipes } from './standard-pipes.ts';
import { parseMessage, supervisorSignals } from './supervisor.ts';
import { measureTreeMemory } from './tree-memory.ts';

/** A hundred times what it takes on a busy machine. */
const SETUP_MS = 10_000;

/** How long the supervisor may take to kill, count and report, before it is killed itself. */
const REPORT_MS = 250;

/** The start of what bwrap has to say: enough for its one line of complaint. */
const MAX_DIAGNOSTIC_BYTES = 4096;

/** What a sandboxed command is started with. */
export interface Launch {
  /** bwrap, by name or path. */
  readonly program: string;
  readonly args: readonly string[];
  /** The user to become first; undefined to stay who we are. */
  readonly uid: number | undefined;
  /** For bwrap to read: the seccomp program, then the synthetic files. */
  readonly files: readonly number[];
  readonly pipes: StandardPipes;
  readonly job: Buffer;
}

/**
 * bwrap, the supervisor as process 1 of the new pid namespace, and the command below it. When
 * process 1 ends the kernel kills all others before bwrap, which waits for it, can end: so when
 * bwrap has ended nothing is left.
 */
export class BubblewrapTree implements ProcessTree {
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly started: Promise<void>;
  readonly ended: Promise<TreeEnd | null>;
  readonly #child: ChildProcess;
  readonly #begin = Promise.withResolvers<void>();
  readonly #settle = Promise.withResolvers<TreeEnd | null>();
  #supervisorPid: number | undefined;
  #hasStarted = false;
  #killed = false;
  #gone = false;
  #report: TreeEnd | null = null;
  #diagnostics = '';
  #killTimer: NodeJS.Timeout | undefined;
  readonly #setupTimer: NodeJS.Timeout;

  constructor(launch: Launch) {
    const { stdin, stdout, stderr } = launch.pipes.theirs;
    const [seccomp, ...etc] = launch.files;
    this.#child = spawn(launch.program, launch.args, {
      cwd: '/', // the worker's own folder may be closed to the other user
      env: { PATH: baseEnvironment.PATH },
      // in the order of supervisorFds and bubblewrapFds
      stdio: [stdin, stdout, 'pipe', 'pipe', 'pipe', seccomp, stderr, ...etc],
      ...(launch.uid !== undefined && { uid: launch.uid, gid: launch.uid }),
    });
    const streams = launch.pipes.connect();
    this.stdin = streams.stdin;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.started = this.#begin.promise;
    this.ended = this.#settle.promise;
    this.#setupTimer = setTimeout(() => this.#onSetupTime(), SETUP_MS);
    this.#child.once('error', (cause) => this.#onGone(`bwrap did not start: ${cause.message}`));
    this.#child.once('close', (code) => this.#onGone(`bwrap ended with exit code ${code}`));
    // Out of descriptors, Node makes no streams and reports the error a tick later.
    const [, , diagnostics, control, status] = this.#child.stdio ?? [];
    if (!diagnostics || !control || !status) return;
    this.#readDiagnostics(diagnostics as Readable);
    this.#readStatus(status as Readable, () => (control as Duplex).write(launch.job));
    this.#readControl(control as Duplex);
  }

  terminate(): void {
    this.#signalSupervisor(supervisorSignals.terminate);
  }

  kill(): void {
    this.#killed = true;
    if (this.#hasStarted) {
      this.#signalSupervisor(supervisorSignals.kill);
      this.#killTimer ??= setTimeout(() => this.#killAtOnce(), REPORT_MS);
    } else {
      this.#killAtOnce();
    }
  }

  memoryBytes(thresholdBytes: number): number | null {
    if (this.#supervisorPid === undefined || this.#gone) return null;
    try {
      return measureTreeMemory(this.#supervisorPid, thresholdBytes);
    } catch {
      return null;
    }
  }

  #readDiagnostics(stream: Readable): void {
    stream.setEncoding('utf8').on('data', (text: string) => {
      this.#diagnostics = (this.#diagnostics + text).slice(0, MAX_DIAGNOSTIC_BYTES);
    });
  }

  /** bwrap writes the host's pid of process 1 as soon as it has cloned it. */
  #readStatus(stream: Readable, onPid: () => void): void {
    let text = '';
    stream.setEncoding('utf8').on('data', (more: string) => {
      if (this.#supervisorPid !== undefined) return;
      text += more;
      const pid = /"child-pid": *(\d+)\b/.exec(text)?.[1];
      if (pid === undefined) return;
      this.#supervisorPid = Number(pid);
      if (this.#killed) this.#killAtOnce();
      else onPid();
    });
  }

  #readControl(stream: Duplex): void {
    let text = '';
    stream.on('error', () => {}); // EPIPE, when set-up failed: bwrap tells why elsewhere
    stream.setEncoding('utf8').on('data', (more: string) => {
      const lines = (text + more).split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) this.#onMessage(line);
    });
  }

  #onMessage(line: string): void {
    const message = parseMessage(line);
    if (message?.kind === 'started') {
      clearTimeout(this.#setupTimer);
      this.#hasStarted = true;
      this.#begin.resolve();
    } else if (message?.kind === 'ended') {
      const { end, cpuMs, largestRssBytes: maxRssBytes } = message.report;
      this.#report = { end, cpuMs, maxRssBytes, endedAtMs: performance.now() };
    }
  }

  #onSetupTime(): void {
    this.#diagnostics += `not ready after ${SETUP_MS} ms`;
    if (this.#supervisorPid === undefined) this.#child.kill('SIGKILL');
    else this.#killAtOnce();
  }

  #onGone(why: string): void {
    this.#gone = true;
    clearTimeout(this.#killTimer);
    clearTimeout(this.#setupTimer);
    if (this.#report !== null || this.#killed) {
      this.#settle.resolve(this.#report);
      return;
    }
    const stage = this.#hasStarted ? 'the supervisor was lost' : 'the sandbox could not be set up';
    const detail = this.#diagnostics.trim() || why;
    this.#settle.reject(new SandboxError(`${stage}: ${detail}`));
  }

  /**
   * Before its pid is known, process 1 may be waiting for bwrap without end, and would do so for
   * ever if bwrap were killed (seen with 0.8.0). Its pid is here within a millisecond or two.
   */
  #killAtOnce(): void {
    this.#signalSupervisor('SIGKILL');
  }

  /**
   * The pid is not another's: bwrap reaps it as its last act, and then we soon know it is gone.
   * Where we may not signal it, bwrap's end takes it along (`--die-with-parent`).
   */
  #signalSupervisor(signal: NodeJS.Signals): void {
    if (this.#supervisorPid === undefined || this.#gone) return;
    try {
      process.kill(this.#supervisorPid, signal);
    } catch (error) {
      const hasEnded = (error as NodeJS.ErrnoException).code === 'ESRCH';
      if (!hasEnded) this.#child.kill('SIGKILL');
    }
  }
}
