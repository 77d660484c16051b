/**
 * `npm run bench`: how many `echo hello` a second go through the whole running system, how long one
 * takes from its submission to its end, and what the sandbox alone does in the same run.
 *
 *     npm run bench -- --tasks 1000 --rounds 3
 *     npm run bench -- --queue sqs,rabbitmq            by turns; needs rabbitmq-server here
 *     npm run bench -- --compare metrics,logs          with and without them, by turns
 *     npm run bench -- --url http://localhost:3500     a system that runs already
 */
import { parseArgs } from 'node:util';
import { openSandbox } from '../lib/sandbox/open-sandbox.ts';
import { sandboxLimits, usualLimits } from '../lib/tasks/limits.ts';
import { inParallel, percentile } from './statistics.ts';
import { givenSystem, type System, startSystem } from './system.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    url: { type: 'string' },
    queue: { type: 'string', default: 'sqs' },
    compare: { type: 'string' },
  },
});
const TASKS = Number(values.tasks);
const ROUNDS = Number(values.rounds);
const LATENCY_TASKS = Math.min(200, TASKS);
/** More than the worker runs at once, so that it never waits for us. */
const SUBMITTERS = 16;
const SANDBOXES = 4;
const HELLO = { command: 'echo hello' };
const HEAD = 'system     submitted/s   tasks/s   cpu ms/task   alone p50 ms   alone p99 ms';
/** What can be compared with its absence, and how it is switched off. */
const OFF: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  metrics: { METRICS: 'off' },
  logs: { LOG_LEVEL: 'silent' },
};

interface TaskTimes {
  readonly id: string;
  readonly status: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

interface Measured {
  readonly submittedPerSecond: number;
  readonly finishedPerSecond: number;
  readonly cpuMsPerTask: number;
  readonly aloneMs: readonly number[];
}

const systems: System[] = [];
try {
  if (values.url) systems.push(givenSystem(values.url));
  else if (values.compare) {
    systems.push(await startSystem(values.queue, 'with', {}));
    systems.push(await startSystem(values.queue, 'without', withoutIt(values.compare)));
  } else for (const queue of values.queue.split(',')) systems.push(await startSystem(queue));
  // A comparison must not be one of how warm they are.
  for (const { api } of systems) await throughput(api, values.compare ? 500 : 50);
  console.log(`${ROUNDS} rounds of ${TASKS} tasks, ${SUBMITTERS} submitters; one row a round\n`);
  if (values.compare) await compare(systems);
  else await measureByTurns(systems);
} finally {
  for (const system of systems) await system.stop();
}

async function measureByTurns(systems: readonly System[]): Promise<void> {
  console.log(`${HEAD}   sandbox only/s   ratio`);
  for (let round = 0; round < ROUNDS; round++) {
    for (const system of systems) {
      const measured = await measure(system);
      const sandbox = await sandboxOnly(TASKS);
      const ratio = (measured.finishedPerSecond / sandbox).toFixed(2);
      console.log(
        `${row(system, measured)} ${sandbox.toFixed(0).padStart(16)} ${ratio.padStart(7)}`,
      );
    }
  }
}

/** Each round with the other one first, so that neither always has what the other left behind. */
async function compare([first, second]: readonly System[]): Promise<void> {
  if (!first || !second) throw new Error('there are two systems to compare');
  console.log(HEAD);
  const costs: Record<'throughput' | 'processor' | 'latency', number[]> = {
    throughput: [],
    processor: [],
    latency: [],
  };
  for (let round = 0; round < ROUNDS; round++) {
    const measured = new Map<System, Measured>();
    for (const system of round % 2 === 0 ? [first, second] : [second, first]) {
      const result = await measure(system);
      measured.set(system, result);
      console.log(row(system, result));
    }
    const [with_, without] = [measured.get(first), measured.get(second)];
    if (!with_ || !without) continue;
    costs.throughput.push(without.finishedPerSecond / with_.finishedPerSecond - 1);
    costs.processor.push(with_.cpuMsPerTask / without.cpuMsPerTask - 1);
    costs.latency.push(mean(with_.aloneMs) / mean(without.aloneMs) - 1);
  }
  console.log(
    `\nWhat ${values.compare} cost, of what it is without: median, and its 95 % interval`,
  );
  // By rank: half of the pairs lie below the median, each by the toss of a coin.
  const off = 98 / Math.sqrt(ROUNDS);
  for (const [name, shares] of Object.entries(costs)) {
    const [low, median, high] = [50 - off, 50, 50 + off].map((at) => asPercent(shares, at));
    console.log(`${name.padEnd(12)} ${median} (${low} to ${high})`);
  }
}

function mean(times: readonly number[]): number {
  return times.reduce((sum, ms) => sum + ms, 0) / times.length;
}

function asPercent(shares: readonly number[], percent: number): string {
  return `${(percentile(shares, percent) * 100).toFixed(1)} %`;
}

function withoutIt(names: string): Record<string, string> {
  return Object.assign(
    {},
    ...names.split(',').map((name) => {
      if (OFF[name]) return OFF[name];
      throw new Error(`--compare knows ${Object.keys(OFF).join(', ')}, and not ${name}`);
    }),
  );
}

async function measure({ api, metrics, cpuMs }: System): Promise<Measured> {
  const before = await cpuMs();
  // As a Prometheus would, meanwhile.
  const scraped = fetch(metrics).then((response) => response.text());
  const load = await throughput(api, TASKS);
  const aloneMs = await latencies(api, LATENCY_TASKS);
  await scraped;
  const cpuMsPerTask = ((await cpuMs()) - before) / (TASKS + LATENCY_TASKS);
  return { ...load, cpuMsPerTask, aloneMs };
}

function row({ name }: System, measured: Measured): string {
  return [
    name.padEnd(8),
    measured.submittedPerSecond.toFixed(0).padStart(13),
    measured.finishedPerSecond.toFixed(0).padStart(9),
    measured.cpuMsPerTask.toFixed(2).padStart(13),
    percentile(measured.aloneMs, 50).toFixed(1).padStart(14),
    percentile(measured.aloneMs, 99).toFixed(1).padStart(14),
  ].join(' ');
}

/** Submits all tasks as fast as the API takes them; from the first one stored to the last end. */
async function throughput(api: string, tasks: number) {
  const startedAt = performance.now();
  const ids = await inParallel(tasks, SUBMITTERS, () => submit(api));
  const submittedPerSecond = (tasks / (performance.now() - startedAt)) * 1000;
  const ended = await allEnded(api, new Set(ids));
  const first = Math.min(...ended.map(({ createdAt }) => Date.parse(createdAt)));
  const last = Math.max(...ended.map(({ finishedAt }) => Date.parse(finishedAt ?? '')));
  return { submittedPerSecond, finishedPerSecond: (tasks / (last - first)) * 1000 };
}

/** Milliseconds from stored to ended, of tasks that have the system to themselves. */
async function latencies(api: string, tasks: number): Promise<number[]> {
  const times: number[] = [];
  for (let task = 0; task < tasks; task++) {
    const [ended] = await allEnded(api, new Set([await submit(api)]));
    if (ended) times.push(Date.parse(ended.finishedAt ?? '') - Date.parse(ended.createdAt));
  }
  return times;
}

async function sandboxOnly(runs: number): Promise<number> {
  const sandbox = await openSandbox('auto');
  const command = {
    program: { kind: 'shell', command: HELLO.command },
    stdin: Buffer.alloc(0),
    env: {},
  } as const;
  const limits = sandboxLimits({ timeoutSeconds: 60, memoryMb: 256, limits: usualLimits(60) });
  const never = new AbortController().signal;
  const startedAt = performance.now();
  await inParallel(runs, SANDBOXES, () => sandbox.run(command, limits, () => {}, never));
  const perSecond = (runs / (performance.now() - startedAt)) * 1000;
  await sandbox.close();
  return perSecond;
}

async function submit(api: string): Promise<string> {
  const response = await fetch(api, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(HELLO),
  });
  if (response.status !== 202) throw new Error(`${response.status} ${await response.text()}`);
  return ((await response.json()) as TaskTimes).id;
}

/** Pages through the newest tasks until all of these have ended. */
async function allEnded(api: string, ids: ReadonlySet<string>): Promise<TaskTimes[]> {
  const limit = Math.min(ids.size, 200);
  for (;;) {
    const seen: TaskTimes[] = [];
    let cursor = '';
    while (seen.length < ids.size) {
      const response = await fetch(`${api}?limit=${limit}${cursor}`);
      const { items, nextCursor } = (await response.json()) as {
        items: TaskTimes[];
        nextCursor: string | null;
      };
      const waiting = items.some(({ id, finishedAt }) => ids.has(id) && finishedAt === null);
      if (waiting) break;
      seen.push(...items.filter(({ id }) => ids.has(id)));
      if (nextCursor === null) break;
      cursor = `&cursor=${nextCursor}`;
    }
    if (seen.length === ids.size) {
      const failed = seen.find(({ status }) => status !== 'succeeded');
      if (failed) throw new Error(`task ${failed.id} ${failed.status}`);
      return seen;
    }
    await new Promise((resolve) => setTimeout(resolve, ids.size > 1 ? 250 : 5));
  }
}
