import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '../../scripts/load/report.ts';
import { eventually } from '../support/eventually.ts';
import { anyPort, useStack } from './local-stack.ts';

const stack = useStack(() => ({ AUTH: 'keys' }));
let key: string;

beforeAll(async () => {
  key = await makeKey('--per-minute', 'none');
});

interface Script {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  readonly ended: Promise<number | null>;
}

/** A script of the checkout, whose own running stack it knows. */
function run(script: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Script {
  const child = spawn(process.execPath, [script, ...args], { cwd: stack.checkout.directory, env });
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (bytes: Buffer) => {
      output[name] += bytes;
    });
  }
  return { child, output, ended: new Promise((resolve) => child.once('close', resolve)) };
}

async function makeKey(...options: string[]): Promise<string> {
  const script = run('scripts/keys.ts', ['create', '--name', 'load', '--json', ...options]);
  expect([await script.ended, script.output.stderr]).toEqual([0, '']);
  return JSON.parse(script.output.stdout).apiKey;
}

function load(options: readonly string[], asKey = key): Script {
  return run('scripts/load.ts', ['--url', stack.url, ...options], { ERRAND_API_KEY: asKey });
}

const reportAt = async (name: string): Promise<Report> =>
  JSON.parse(await readFile(join(stack.checkout.directory, name), 'utf8'));

describe('npm run load', () => {
  it('sends at its rate, follows every task to its end, and keeps what it saw', async () => {
    const { ended, output } = load([
      ...['--rate', '20', '--seconds', '5', '--out', 'steady.json', '--max-errors', '0'],
    ]);
    expect(await ended, output.stdout + output.stderr).toBe(0);
    const report = await reportAt('steady.json');
    const { requests, tasks, series } = report;
    expect(requests).toMatchObject({ due: 100, sent: 100, unsent: 0, errors: 0, limited: 0 });
    const counts = Object.values(requests.operations).map(({ count }) => count);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(100);
    const { create, wait } = requests.operations;
    expect(tasks.created).toBe((create?.count ?? 0) + (wait?.count ?? 0));
    expect(tasks.backlog).toBe(0);
    expect(tasks.byStatus.failed).toBeGreaterThan(0);
    expect(tasks.endToEndMs.p50).toBeGreaterThan(0);
    expect(series.reduce((sum, { ended }) => sum + ended, 0)).toBe(tasks.created);
    expect(series.at(-1)).toMatchObject({ queued: 0, running: 0 });
    expect(Object.keys(report.memory[0]?.mb ?? {})).toEqual(
      expect.arrayContaining(['supervisor', 'functions', 'queue', 'postgres']),
    );
    expect(report.memory[0]?.mb.functions).toBeGreaterThan(50);
    expect(JSON.stringify(report)).not.toContain(key);

    expect(output.stdout).toMatch(/^create +\d+ +0 /m);
    expect(output.stdout).toContain('requests   100 due, 20.0/s; 100 sent; failed 0.00 %');
    expect(output.stderr).toMatch(/ s, sending, \d+ answered/);
    const svg = await readFile(join(stack.checkout.directory, 'steady.svg'), 'utf8');
    expect(svg).toContain('errand under load: 20 requests/s, mix default');
  });

  it('ends early at Ctrl-C, and tells what was', async () => {
    const { child, ended, output } = load([
      '--rate',
      '20',
      '--seconds',
      '600',
      '--out',
      'cut.json',
    ]);
    await eventually(() => expect(output.stderr).toMatch(/s, sending/), 60_000);
    child.kill('SIGINT');
    expect(await ended, output.stderr).toBe(0);
    const { endedEarly, requests } = await reportAt('cut.json');
    expect(endedEarly).toBe(true);
    expect(requests.due).toBeGreaterThan(0);
    expect(requests.due).toBeLessThan(12_000);
    expect(output.stdout).toContain('Ended early');
  });

  it('counts the 429 of a limited key apart, and does not fail for them', async () => {
    const limited = await makeKey('--per-minute', '120', '--burst', '20');
    const script = load(['--rate', '30', '--seconds', '3', '--out', 'limited.json'], limited);
    expect(await script.ended, script.output.stdout + script.output.stderr).toBe(0);
    const { requests } = await reportAt('limited.json');
    expect(requests.limited).toBeGreaterThan(20);
    expect(requests.errors).toBe(0);
    expect(script.output.stdout).toContain(`refused with 429 ${requests.limited}`);
  });

  it('looks for the highest rate, and says when none holds', async () => {
    const { ended, output } = load([
      ...['--find-max', '--p99', '1', '--rate', '1', '--seconds', '2', '--mix', 'create'],
    ]);
    expect(await ended, output.stderr).toBe(1);
    expect(output.stdout).toMatch(/^ {6}1\/s {2}p99 of create \d+(\.\d+)? ms/m);
    expect(output.stdout).toMatch(/^ {4}0\.5\/s {2}p99 of create/m);
    expect(output.stdout).toContain('No rate that was tried holds (p99 of at most 1 ms');
    const [, saved = ''] = /saved +(\S.*\.errand\/load\/\S+\.json)/.exec(output.stdout) ?? [];
    const { search } = JSON.parse(await readFile(saved, 'utf8'));
    expect(search.steps.map(({ rate }: { rate: number }) => rate)).toEqual([1, 0.5]);
  });

  it.each([
    ['no key', '', 'refuses to take a task: 401', 'ERRAND_API_KEY'],
    ['a wrong one', 'errand_x', 'refuses to take a task: 401', 'ERRAND_API_KEY'],
  ])('says what is missing with %s', async (_, wrong, complaint, remedy) => {
    const { ended, output } = load(['--seconds', '1'], wrong);
    expect(await ended).toBe(1);
    expect(output.stderr).toContain(complaint);
    expect(output.stderr).toContain(remedy);
  });

  it('says that nobody is there, and that somebody else is', async () => {
    const nobody = load(['--url', `http://localhost:${await anyPort()}`]);
    expect(await nobody.ended).toBe(1);
    expect(nobody.output.stderr).toContain('errand does not answer at http://localhost:');
    expect(nobody.output.stderr).toContain('npm start');
    const other = load(['--url', `${stack.url}/api`]);
    expect(await other.ended).toBe(1);
    expect(other.output.stderr).toContain('does not take a task: 404');
    expect(other.output.stderr).toContain('without /api');
  });

  it('refuses a wrong option, and a file that cannot be written, before it sends anything', async () => {
    const wrong = load(['--rate', 'fast']);
    expect(await wrong.ended).toBe(2);
    expect(wrong.output.stderr).toContain('--rate is "fast"; it must be a number');
    const unwritable = load(['--out', 'README.md/run.json']);
    expect(await unwritable.ended).toBe(1);
    expect(unwritable.output.stderr).toContain('README.md/run.json cannot be written (E');
  });

  // The last one: it ends the stack.
  it('tells what it knows when the server goes away, and fails', async () => {
    const { ended, output } = load(['--rate', '20', '--seconds', '8', '--out', 'gone.json']);
    await eventually(() => expect(output.stderr).toMatch(/s, sending/), 60_000);
    void stack.stop();
    expect(await ended, output.stdout + output.stderr).toBe(1);
    const { requests, tasksUnread } = await reportAt('gone.json');
    expect(requests.errors).toBeGreaterThan(0);
    expect(tasksUnread).toContain('The tasks of the run cannot be read');
    expect(output.stdout).toContain('ECONNREFUSED');
    expect(output.stdout).toContain('No figure of tasks is known.');
  });
});
