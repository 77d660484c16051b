import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ISOLATING_TIERS } from '../../lib/sandbox/open-sandbox.ts';
import { corpus } from './hostile/corpus.ts';
import type { Verdict } from './hostile/judge.ts';

const fixture = join(import.meta.dirname, 'fixtures/attack.ts');
const isRoot = process.getuid?.() === 0;
/**
 * Nobody in particular, whose id nothing else here uses. Each worker is another one: the kernel
 * counts the processes of a user together, and those of a bare fork bomb would be taken for theirs.
 */
let lastUser = 65_400;
const all = Object.entries(corpus);
const fewestAttacks = 60;

interface Attacked {
  readonly verdicts: ReadonlyMap<string, Verdict>;
  /** How the task ended that ran beside all of them. */
  readonly neighbour: string | undefined;
  /** What the worker left in its folder for temporary files. */
  readonly left: readonly string[];
  readonly complaints: string;
}

/** One worker for all attacks, with the secret in its environment, as root or as another user. */
async function attack(
  tier: string,
  asUser: boolean,
  command: readonly string[],
): Promise<Attacked> {
  const folder = mkdtempSync(join(tmpdir(), 'errand-test-'));
  chmodSync(folder, 0o755);
  const credentials: { uid?: number; gid?: number } = {};
  if (asUser && isRoot) {
    lastUser += 1;
    Object.assign(credentials, { uid: lastUser, gid: lastUser });
    chownSync(folder, lastUser, lastUser);
  }
  const [program = '', ...args] = [...command, process.execPath, fixture, tier];
  const child = spawn(program, args, {
    ...credentials,
    env: { PATH: process.env.PATH, TMPDIR: folder, ERRAND_SECRET: `secret-of-${randomUUID()}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr] = await outputOf(child);
  const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
  const parsed = lines.map((line) => JSON.parse(line) as Verdict & { neighbour?: string });
  const left = readdirSync(folder);
  rmSync(folder, { recursive: true });
  return {
    verdicts: new Map(parsed.map((verdict) => [verdict.tries, verdict])),
    neighbour: parsed.find(({ neighbour }) => neighbour !== undefined)?.neighbour,
    left,
    complaints: stderr,
  };
}

async function outputOf(child: ChildProcess): Promise<[string, string]> {
  const texts = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text) => {
      texts[stream] += text;
    });
  }
  await new Promise((resolve) => child.once('close', resolve));
  return [texts.stdout, texts.stderr];
}

const workers = ISOLATING_TIERS.flatMap((tier) =>
  (isRoot ? [false, true] : [true]).map((asUser) => ({
    tier,
    asUser,
    who: asUser ? 'a user' : 'root',
  })),
);

/** Namespaces of their own for the bare run: what it breaks is in there, and ends with it. */
const disposable = [
  'unshare',
  ...['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'],
  ...['--net', '--ipc', '--uts', '--propagation', 'private'],
];

/** A new network namespace has its loopback interface down. SIOCSIFFLAGS with IFF_UP|IFF_RUNNING. */
const withLoopback = [
  'perl',
  '-e',
  'use Socket; socket S, PF_INET, SOCK_DGRAM, 0; $up = pack "a16 s x22", "lo", 0x41; ioctl S, 0x8914, $up; exec @ARGV',
];

/** All at once: a worker waits most of the time. */
const running = new Map<string, Promise<Attacked>>();
beforeAll(() => {
  for (const { tier, asUser } of workers) {
    running.set(`${tier} ${asUser}`, attack(tier, asUser, []));
  }
  running.set('bare', attack('bare', true, [...disposable, ...withLoopback]));
});

it('tries a lot', () => {
  const names = all.flatMap(([, attacks]) => attacks.map(({ tries }) => tries));
  expect(names.length).toBeGreaterThanOrEqual(fewestAttacks);
  expect(new Set(names).size).toBe(names.length);
});

describe.each(workers)('a task in $tier, run by $who', ({ tier, asUser }) => {
  let attacked: Attacked;
  beforeAll(async () => {
    attacked = await (running.get(`${tier} ${asUser}`) as Promise<Attacked>);
  }, 120_000);

  describe.each(all)('about %s', (_subject, attacks) => {
    it.each(attacks)('does no harm when it $tries', ({ tries }) => {
      const verdict = attacked.verdicts.get(tries);
      expect(verdict, attacked.complaints).toBeDefined();
      expect(verdict?.harms, verdict?.ending).toEqual([]);
    });
  });

  it('leaves the task beside it to its own end, and nothing on the host', () => {
    expect(attacked.neighbour).toBe('aborted');
    expect(attacked.left).toEqual([]);
  });
});

describe('a task without a sandbox', () => {
  let attacked: Attacked;
  beforeAll(async () => {
    attacked = await (running.get('bare') as Promise<Attacked>);
  }, 120_000);

  describe.each(all)('about %s', (_subject, attacks) => {
    const [run, notRun] = [
      attacks.filter(({ bare }) => typeof bare !== 'object'),
      attacks.filter(({ bare }) => typeof bare === 'object'),
    ];
    it.each(run)('does harm when it $tries', ({ tries }) => {
      const verdict = attacked.verdicts.get(tries);
      expect(verdict, attacked.complaints).toBeDefined();
      expect(verdict?.harms, verdict?.ending).not.toEqual([]);
    });
    if (notRun.length === 0) return;
    it.each(notRun)('is not run when it $tries: $bare.notRun', ({ tries }) => {
      expect(attacked.verdicts.get(tries)).toBeUndefined();
    });
  });
});
