import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { encodeRequest, endingOf, makeFrameReader, usageOf } from './launcher-protocol.ts';
import type {
  CapturedOutput,
  Command,
  Limits,
  Outcome,
  OutputChunk,
  Sandbox,
  SandboxTier,
} from './sandbox.ts';
import { SandboxError } from './sandbox.ts';

export interface LauncherOptions {
  /** Path of the launcher binary for this machine. */
  readonly binary: string;
  readonly tier: SandboxTier;
  /** Sandboxes kept prepared, so that a command finds one ready. */
  readonly pool: number;
  /** Host paths that commands may read besides /usr. */
  readonly readOnlyPaths?: readonly string[];
  /** Folders below those, or below /usr, that they may not: above all our own. */
  readonly hiddenPaths?: readonly string[];
  /** What holds the memory of a command: a cgroup where one can be made, unless told to watch. */
  readonly memory?: 'auto' | 'watch';
  /** As root: the first uid that commands run as. */
  readonly uid?: number;
  /** As root: run the launcher itself as this user, who needs no privilege for it. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

interface Server {
  readonly socketPath: string;
  readonly process: ChildProcess;
  /** Resolves when the server has ended: it takes no more commands. */
  readonly ended: Promise<void>;
  /** Resolves when also all that it started has ended, and its files are gone. */
  readonly cleaned: Promise<void>;
}

/** How long a cancelled command may take to be dead and reported. */
const abortPatienceMs = 10_000;

const nothing = { bytes: Buffer.alloc(0), totalBytes: 0, truncated: false };
const abortedBeforeStart: Outcome = {
  ending: { kind: 'aborted' },
  stdout: nothing,
  stderr: nothing,
  usage: { wallMs: null, cpuMs: null, maxRssBytes: null },
};

/** Runs commands in sandboxes that the native launcher keeps prepared: no spawn per command. */
export function makeLauncherSandbox(options: LauncherOptions): Sandbox {
  let starting: Promise<Server> | undefined;

  /** The running server; a new one when it has died, since no command may wait for ever. */
  const server = () => {
    if (starting === undefined) {
      const attempt = startServer(options);
      starting = attempt;
      const forget = () => {
        if (starting === attempt) starting = undefined;
      };
      attempt.then(({ ended }) => ended.then(forget), forget);
    }
    return starting;
  };

  return {
    tier: options.tier,
    async run(command, limits, onOutput, signal) {
      if (signal.aborted) return abortedBeforeStart;
      const { socketPath } = await server();
      return converse(connect(socketPath), { command, limits, onOutput, signal });
    },
    async close() {
      const running = await starting?.catch(() => undefined);
      starting = undefined;
      if (running !== undefined) await stopServer(running);
    },
  };
}

async function startServer(options: LauncherOptions): Promise<Server> {
  // Nobody else may enter the socket's folder; commands with a uid of their own must enter theirs.
  const folder = await mkdtemp(join(tmpdir(), 'errand-launcher-'));
  const scratch = await mkdtemp(join(tmpdir(), 'errand-work-'));
  if (options.user !== undefined) {
    const { uid, gid } = options.user;
    await Promise.all([folder, scratch].map((path) => chown(path, uid, gid)));
  }
  const socketPath = join(folder, 'socket');
  const process = spawn(options.binary, serveArguments(options, scratch, socketPath), {
    cwd: '/',
    env: {},
    stdio: ['pipe', 'pipe', 'pipe'],
    // It ends when its stdin closes, and clears up then: whoever kills our group must not take it along.
    detached: true,
    ...options.user,
  });
  let complaints = '';
  process.stderr.on('data', (bytes: Buffer) => {
    complaints = (complaints + bytes.toString()).slice(-2_000);
  });
  process.once('error', ({ message }) => {
    complaints = message;
  });
  process.stdin.on('error', () => {}); // it died first: `ended` tells
  const ended = new Promise<void>((resolve) => {
    process.once('error', () => resolve());
    process.once('exit', () => resolve());
  });
  // Its pipes are closed when the last of its children has gone, too.
  const closed = new Promise<void>((resolve) => {
    process.once('error', () => resolve());
    process.once('close', () => resolve());
  });
  const remove = (path: string) => rm(path, { recursive: true, force: true });
  const cleaned = closed.then(async () => {
    await Promise.all([remove(folder), remove(scratch)]);
  });
  const ready = once(process.stdout, 'data').then(() => true);
  const isReady = await Promise.race([ready, cleaned.then(() => false)]);
  if (!isReady) {
    throw new SandboxError(`The sandbox launcher could not start: ${complaints.trim()}`);
  }
  return { socketPath, process, ended, cleaned };
}

function serveArguments(options: LauncherOptions, scratch: string, socketPath: string): string[] {
  const uid = options.uid === undefined ? [] : ['--uid', String(options.uid)];
  const readOnly = (options.readOnlyPaths ?? []).flatMap((path) => ['--read-only', path]);
  const hidden = (options.hiddenPaths ?? []).flatMap((path) => ['--hide', path]);
  const pool = ['--tier', options.tier, '--pool', String(options.pool)];
  const places = ['--socket', socketPath, '--scratch', scratch];
  const memory = options.memory === undefined ? [] : ['--memory', options.memory];
  return ['serve', ...places, ...pool, ...uid, ...memory, ...readOnly, ...hidden];
}

/** The server ends with its stdin, and everything it started ends with it. */
async function stopServer(server: Server): Promise<void> {
  server.process.stdin?.end();
  await server.cleaned;
}

interface Run {
  readonly command: Command;
  readonly limits: Limits;
  readonly onOutput: (chunk: OutputChunk) => void;
  readonly signal: AbortSignal;
}

/** Has a launcher at the other end of a connection run one command. */
export function converse(socket: Duplex, run: Run): Promise<Outcome> {
  const { command, limits, onOutput, signal } = run;
  const request = encodeRequest(command, limits);
  const kept = { stdout: [] as Buffer[], stderr: [] as Buffer[] };

  return new Promise((resolve, reject) => {
    let patience: NodeJS.Timeout | undefined;
    // Half a close: the launcher kills the tree, and its report still comes back.
    const abort = () => {
      socket.end();
      patience = setTimeout(() => socket.destroy(), abortPatienceMs);
    };
    let callerError: { readonly error: unknown } | undefined;
    const finish = (settle: () => void) => {
      clearTimeout(patience);
      signal.removeEventListener('abort', abort);
      socket.destroy();
      settle();
    };
    // A caller that cannot take the output fails the run, when the command is dead.
    const handOn = (chunk: OutputChunk) => {
      try {
        onOutput(chunk);
      } catch (error) {
        callerError = { error };
        abort();
      }
    };
    const readFrames = makeFrameReader((frame) => {
      if (frame.kind === 'output') {
        kept[frame.stream].push(frame.bytes);
        if (callerError === undefined) handOn({ stream: frame.stream, bytes: frame.bytes });
        return;
      }
      if (callerError !== undefined) throw callerError.error;
      const { report } = frame;
      const ending = endingOf(report, limits);
      const stdout = captured(kept.stdout, report.stdout.total);
      const stderr = captured(kept.stderr, report.stderr.total);
      finish(() => resolve({ ending, stdout, stderr, usage: usageOf(report) }));
    });
    socket.on('data', (bytes) => {
      try {
        readFrames(bytes);
      } catch (error) {
        finish(() => reject(error));
      }
    });
    socket.once('error', (cause) => {
      finish(() => reject(new SandboxError('The sandbox launcher was lost', { cause })));
    });
    socket.once('close', () => {
      finish(() => reject(new SandboxError('The sandbox launcher gave no report')));
    });
    socket.write(request);
    if (command.stdin.byteLength > 0) socket.write(command.stdin);
    if (signal.aborted)
      abort(); // while the server was starting
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function captured(chunks: readonly Buffer[], totalBytes: number): CapturedOutput {
  const bytes = Buffer.concat(chunks);
  return { bytes, totalBytes, truncated: totalBytes > bytes.length };
}
