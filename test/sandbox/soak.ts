import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openSandbox } from '../../lib/sandbox/open-sandbox.ts';
import type { Limits, Outcome } from '../../lib/sandbox/sandbox.ts';
import { childrenOf, processesWith, uniqueSeconds } from '../support/processes.ts';
import { type Run, runIn } from './sandbox-run.ts';
import type { Tier } from './sandboxed.ts';

const MiB = 1024 ** 2;
const concurrency = 4;

interface Soaked {
  /** In words; empty when all was given back. */
  readonly leaks: readonly string[];
  readonly perSecond: number;
  /** Resident megabytes: after a tenth, at the end, and at the end of each quarter. */
  readonly worker: { readonly warm: number; readonly end: number; readonly quarters: number[] };
  readonly launchers: { readonly warm: number; readonly end: number };
}

/** One way to end; `seconds` marks the processes that it may leave behind. */
type Turn = (run: Run, seconds: string) => Promise<Outcome['ending']['kind']>;

const ends =
  (command: string | readonly string[], limits: Partial<Limits> = {}): Turn =>
  async (run) =>
    (await run(command, { limits })).ending.kind;

const turns: readonly (readonly [Outcome['ending']['kind'], Turn])[] = [
  ['exited', ends('exit 0')],
  ['exited', ends('exit 3')],
  ['signalled', ends('kill -SEGV $$')],
  ['timedOut', ends('sleep 60', { wallMs: 50 })],
  ['exited', ends('head -c 1M /dev/zero')],
  [
    'outOfMemory',
    ends(['perl', '-e', '$x = "a" x (64 << 20); sleep 60'], { memoryBytes: 16 * MiB }),
  ],
  [
    'exited',
    async (run, seconds) => (await run(`setsid sleep ${seconds} & touch a b c`)).ending.kind,
  ],
  [
    'aborted',
    async (run, seconds) => {
      const caller = new AbortController();
      const onOutput = () => caller.abort();
      const command = `sleep ${seconds} & echo started; sleep ${seconds}`;
      return (await run(command, { signal: caller.signal, onOutput })).ending.kind;
    },
  ],
];

/** Runs this many commands in turn, with mixed endings, and looks for what they have left. */
export async function soak(tier: Tier, executions: number): Promise<Soaked> {
  const seconds = uniqueSeconds();
  await (await openSandbox(tier)).close(); // Node opens some for itself at the first child
  const before = inventory();
  const sandbox = await openSandbox(tier);
  const run = runIn(sandbox);
  const wrong: string[] = [];
  let next = 0;
  const worker = async (until: number) => {
    while (next < until) {
      const [expected, turn] = turns[next++ % turns.length] ?? (turns[0] as (typeof turns)[0]);
      const kind = await turn(run, seconds);
      if (kind !== expected) wrong.push(`${kind} instead of ${expected}`);
    }
  };
  const runTo = (until: number) =>
    Promise.all(Array.from({ length: concurrency }, () => worker(until)));
  await runTo(executions / 10);
  const warm = { rss: settledMegabytes(), launchers: launchersMegabytes(), open: inventory() };
  const started = performance.now();
  const quarters: number[] = [];
  for (const quarter of [1, 2, 3, 4]) {
    await runTo((executions * quarter) / 4);
    quarters.push(settledMegabytes());
  }
  const perSecond = (executions * 0.9 * 1000) / (performance.now() - started);
  const end = { rss: settledMegabytes(), launchers: launchersMegabytes(), open: inventory() };
  await sandbox.close();
  const leaks = [
    ...wrong,
    ...(processesWith(seconds).length > 0 ? ['a process of a command'] : []),
    ...more('while running', warm.open, end.open),
    ...more('when closed', before, inventory()),
  ];
  return {
    leaks,
    perSecond,
    worker: { warm: warm.rss, end: end.rss, quarters },
    launchers: { warm: warm.launchers, end: end.launchers },
  };
}

/** Numbers of what this process and its launchers hold on the host. */
function inventory(): Readonly<Record<string, number>> {
  return {
    descriptors: tryList('/proc/self/fd').length,
    mounts: readFileSync('/proc/self/mounts', 'utf8').split('errand').length,
    cgroups: cgroupsOf(process.pid),
    folders: tryList(tmpdir()).filter((name) => /^errand-(launcher|work|probe)-/.test(name)).length,
    'launcher processes': launchers().length,
  };
}

function more(when: string, before: Record<string, number>, after: Record<string, number>) {
  const room = when === 'while running' ? 60 : 0; // what runs and is prepared goes up and down
  return Object.keys(before)
    .filter((what) => (after[what] ?? 0) > (before[what] ?? 0) + room)
    .map((what) => `${what} ${when}: ${before[what]} -> ${after[what]}`);
}

/** Children of ours that run the launcher, and theirs. */
function launchers(parent = process.pid): number[] {
  return childrenOf(parent).flatMap((pid) => [pid, ...launchers(pid)]);
}

/** Cgroups below any hierarchy that name this process. */
function cgroupsOf(pid: number): number {
  return ['/sys/fs/cgroup', ...tryList('/sys/fs/cgroup').map((name) => `/sys/fs/cgroup/${name}`)]
    .filter((path) => existsSync(path))
    .flatMap((path) => tryList(path))
    .filter((name) => name.includes('errand') && name.includes(String(pid))).length;
}

const launchersMegabytes = () => launchers().reduce((sum, pid) => sum + megabytes(pid), 0);

/** Without what the next collection frees: output that nobody holds is no leak. */
function settledMegabytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return megabytes('self');
}

function megabytes(pid: number | 'self'): number {
  return Number(tryRead(`/proc/${pid}/status`).match(/VmRSS:\s+(\d+)/)?.[1] ?? 0) / 1024;
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function tryList(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
