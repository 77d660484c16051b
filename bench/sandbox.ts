/**
 * `node bench/sandbox.ts [--seconds 1] [--rounds 3]`: what each way to isolate costs.
 *
 * Runs `echo hello` as fast as it can, at several concurrencies, in turn for every way and round,
 * so that what else the machine does strikes all of them alike. Prints commands a second (the
 * median of the rounds), the median milliseconds of one, and the rate as a share of bare spawn's.
 */
import { spawn, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { parseArgs } from 'node:util';
import { converse, makeLauncherSandbox } from '../lib/sandbox/launcher.ts';
import type { Limits, Sandbox, SandboxTier } from '../lib/sandbox/sandbox.ts';
import { percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '3' },
    concurrency: { type: 'string', default: '1,2,4,8' },
  },
});
const roundMs = Number(values.seconds) * 1_000;
const rounds = Number(values.rounds);
const concurrencies = values.concurrency.split(',').map(Number);

const binary = join(import.meta.dirname, `../native/prebuilt/linux-${process.arch}/launcher`);
const MiB = 1024 ** 2;
const limits: Limits = {
  wallMs: 30_000,
  cpuMs: 30_000,
  memoryBytes: 256 * MiB,
  processes: 64,
  fileBytes: 64 * MiB,
  diskBytes: 64 * MiB,
  openFiles: 256,
  stdoutBytes: MiB,
  stderrBytes: MiB,
};
const command = {
  program: { kind: 'shell', command: 'echo hello' },
  stdin: Buffer.alloc(0),
  env: {},
} as const;
const never = new AbortController().signal;

type RunHello = () => Promise<string>;
interface Way {
  readonly name: string;
  readonly run: RunHello;
  readonly close: () => Promise<void>;
}

function spawned(name: string, program: string, args: readonly string[]): Way {
  const run = () =>
    new Promise<string>((resolve, reject) => {
      const child = spawn(program, args, { env: { PATH: '/usr/bin:/bin' } });
      let output = '';
      child.stdin.end();
      child.stdout.on('data', (bytes) => {
        output += bytes;
      });
      child.once('error', reject);
      child.once('close', () => resolve(output));
    });
  return { name, run, close: async () => {} };
}

function sandboxed(name: string, sandbox: Sandbox): Way {
  const run = async () => {
    const { stdout } = await sandbox.run(command, limits, () => {}, never);
    return stdout.bytes.toString();
  };
  return { name, run, close: () => sandbox.close() };
}

function pooled(tier: SandboxTier): Way {
  const pool = Math.max(...concurrencies) + 2;
  return sandboxed(`launcher, pooled, ${tier}`, makeLauncherSandbox({ binary, tier, pool }));
}

function oneShot(): Way {
  const run = async () => {
    const child = spawn(binary, ['run', '--connection', '3'], {
      env: {},
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    const connection = child.stdio[3] as Duplex;
    const outcome = await converse(connection, {
      command,
      limits,
      onOutput: () => {},
      signal: never,
    });
    return outcome.stdout.bytes.toString();
  };
  return { name: 'launcher, one shot, namespaces', run, close: async () => {} };
}

/** The least that bubblewrap can isolate with: no seccomp, no limits, no report. */
const bubblewrapAlone = spawned('bubblewrap alone', 'bwrap', [
  ...['--unshare-all', '--die-with-parent', '--new-session', '--ro-bind', '/usr', '/usr'],
  ...['--symlink', 'usr/bin', '/bin', '--symlink', 'usr/lib', '/lib'],
  ...['--symlink', 'usr/lib64', '/lib64', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
  ...['--', '/bin/sh', '-c', 'echo hello'],
]);

const hasBubblewrap = spawnSync('bwrap', ['--version']).status === 0;
const ways: readonly Way[] = [
  spawned('bare spawn', '/bin/sh', ['-c', 'echo hello']),
  ...(hasBubblewrap ? [bubblewrapAlone] : []),
  oneShot(),
  pooled('namespaces'),
  pooled('landlock'),
  pooled('runner'),
  pooled('none'),
];

interface Sample {
  readonly perSecond: number;
  readonly medianMs: number;
}

async function measure(run: RunHello, concurrency: number): Promise<Sample> {
  const times: number[] = [];
  const startedAt = performance.now();
  const worker = async () => {
    while (performance.now() - startedAt < roundMs) {
      const before = performance.now();
      const output = await run();
      if (output !== 'hello\n') throw new Error(`it printed ${JSON.stringify(output)}`);
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  const perSecond = (times.length / (performance.now() - startedAt)) * 1_000;
  return { perSecond, medianMs: percentile(times, 50) };
}

const samples = new Map<string, Sample[]>();
for (const way of ways) await measure(way.run, 2); // warm-up
for (let round = 0; round < rounds; round++) {
  for (const concurrency of concurrencies) {
    for (const way of ways) {
      const key = `${way.name} ${concurrency}`;
      samples.set(key, [...(samples.get(key) ?? []), await measure(way.run, concurrency)]);
    }
  }
}

const middle = (name: string, concurrency: number, value: (sample: Sample) => number): number =>
  percentile((samples.get(`${name} ${concurrency}`) ?? []).map(value), 50);
const rate = (name: string, concurrency: number) =>
  middle(name, concurrency, ({ perSecond }) => perSecond);

console.log(`${rounds} rounds of ${roundMs / 1_000} s; commands/s, median ms, share of bare spawn`);
console.log(`${''.padEnd(32)}${concurrencies.map((n) => `concurrency ${n}`.padEnd(24)).join('')}`);
for (const { name, close } of ways) {
  const cells = concurrencies.map((concurrency) => {
    const perSecond = rate(name, concurrency);
    const ms = middle(name, concurrency, ({ medianMs }) => medianMs);
    const share = perSecond / rate('bare spawn', concurrency);
    return `${perSecond.toFixed(0).padStart(5)}/s ${ms.toFixed(2).padStart(6)} ms ${share.toFixed(2)}`;
  });
  console.log(`${name.padEnd(32)}${cells.map((cell) => cell.padEnd(24)).join('')}`);
  await close();
}
