import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { sendSignal } from '../../dev/processes.ts';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../', import.meta.url)).replace(/\/$/, '');
const NOT_FOR_THE_STACK = [
  ...['DATABASE_URL', 'QUEUE', 'SQS_ENDPOINT', 'RABBITMQ_URL'],
  ...['NODE_OPTIONS', 'ERRAND_BOOTSTRAP_PID'],
];
const READY_WITHIN_MS = 120_000;

/** A copy of the working tree, in a directory with a space in its name, where `npm start` is run. */
export interface Checkout {
  readonly directory: string;
  /** `npm start`, not awaited; with further settings. */
  start(port: number, settings?: NodeJS.ProcessEnv): Start;
  /** All processes that run in it or for it. Linux only. */
  processes(): Promise<number[]>;
  /** A part's process, or the supervisor's, as the running stack recorded it. */
  pidOf(name: string): Promise<number>;
  remove(): Promise<void>;
}

export interface Start {
  readonly url: string;
  readonly child: ChildProcess;
  /** What it wrote so far, to stdout and stderr. */
  output(): string;
  /** Resolves when it says that it is ready. Rejects with its output when it ends before. */
  ready(): Promise<void>;
  /** Resolves with its exit code. */
  ended: Promise<number | null>;
}

/** The dependencies are shared with this tree: installing them is not what is tested. */
export async function checkOut(): Promise<Checkout> {
  const directory = await mkdtemp(join(tmpdir(), 'errand e2e '));
  const listed = await run(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    { cwd: PROJECT, maxBuffer: 64 * 1024 * 1024 },
  );
  for (const file of new Set(listed.stdout.split('\0').filter(Boolean))) {
    await mkdir(dirname(join(directory, file)), { recursive: true });
    await cp(join(PROJECT, file), join(directory, file)).catch((error) => {
      if (error.code !== 'ENOENT') throw error; // Deleted, and not committed yet.
    });
  }
  await symlink(join(PROJECT, 'node_modules'), join(directory, 'node_modules'));

  const processes = () => processesOf(directory);
  return {
    directory,
    processes,
    start: (port, settings) => start(directory, port, settings),
    async pidOf(name) {
      const record = await readFile(join(directory, '.errand', 'running.json'), 'utf8');
      const { pid, parts } = JSON.parse(record);
      return name === 'supervisor' ? pid : parts[name].pid;
    },
    async remove() {
      await eventually(async () => {
        const left = await processes();
        for (const pid of left) sendSignal(pid, 'SIGKILL');
        if (left.length > 0) throw new Error('processes are left');
      });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Of a test file, or of a `describe` in it: up before its first test, and gone after its last. */
export interface RunningStack {
  readonly checkout: Checkout;
  readonly url: string;
  output(): string;
  /** Asks it to stop, as Ctrl-C does. Resolves with its exit code. */
  stop(): Promise<number | null>;
}

export function useStack(settings: () => NodeJS.ProcessEnv = () => ({})): RunningStack {
  let checkout: Checkout;
  let stack: Start;
  beforeAll(async () => {
    checkout = await checkOut();
    stack = checkout.start(await anyPort(), settings());
    await stack.ready();
  });
  const stop = () => {
    stack.child.kill('SIGTERM');
    return stack.ended;
  };
  afterAll(async () => {
    if (stack) await stop();
    await checkout?.remove();
  });
  return {
    get checkout() {
      return checkout;
    },
    get url() {
      return stack.url;
    },
    output: () => stack.output(),
    stop,
  };
}

/** A port for the API that nobody has now. */
export function anyPort(): Promise<number> {
  return freePort(undefined);
}

function start(directory: string, port: number, settings: NodeJS.ProcessEnv = {}): Start {
  const env: NodeJS.ProcessEnv = { ...process.env, PORT: String(port), NO_COLOR: '1' };
  // What the test run was given is not for the stack under test.
  for (const name of NOT_FOR_THE_STACK) delete env[name];
  Object.assign(env, settings);
  const child = spawn('npm', ['start'], { cwd: directory, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  return {
    url: `http://localhost:${port}`,
    child,
    ended,
    output: () => output,
    ready: () =>
      eventually(() => {
        if (output.includes('errand is ready')) return;
        throw new Error(`npm start is not ready:\n${output}`);
      }, READY_WITHIN_MS),
  };
}

async function processesOf(directory: string): Promise<number[]> {
  const pids: number[] = [];
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const commandLine = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '');
    const cwd = await readlink(`/proc/${entry}/cwd`).catch(() => '');
    // A zombie has neither: it is over.
    if (commandLine.includes(directory) || cwd.startsWith(directory)) pids.push(Number(entry));
  }
  return pids;
}
