/**
 * `npm run bench`: how many `echo hello` a second go through the whole running system, how long one
 * takes from its submission to its end, and what the sandbox alone does in the same run.
 *
 *     npm run bench -- --tasks 1000 --rounds 3
 *     npm run bench -- --queue sqs,rabbitmq            by turns; needs rabbitmq-server here
 *     npm run bench -- --url http://localhost:3500     a system that runs already
 */
import { parseArgs } from 'node:util';
import { openSandbox } from '../lib/sandbox/open-sandbox.ts';
import { sandboxLimits, usualLimits } from '../lib/tasks/limits.ts';
import { anyPort, checkOut } from '../test/e2e/local-stack.ts';
import { startRabbit } from '../test/support/servers.ts';
import { inParallel, percentile } from './statistics.ts';

const { values } = parseArgs({
  options: {
    tasks: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '3' },
    url: { type: 'string' },
    queue: { type: 'string', default: 'sqs' },
  },
});
const TASKS = Number(values.tasks);
const ROUNDS = Number(values.rounds);
const LATENCY_TASKS = Math.min(200, TASKS);
/** More than the worker runs at once, so that it never waits for us. */
const SUBMITTERS = 16;
const SANDBOXES = 4;
const HELLO = { command: 'echo hello' };

interface TaskTimes {
  readonly id: string;
  readonly status: string;
  readonly createdAt: string;
  readonly finishedAt: string | null;
}

/** A running errand. */
interface System {
  readonly name: string;
  readonly api: string;
  stop(): Promise<void>;
}

const systems: System[] = [];
try {
  if (values.url) systems.push({ name: 'given', api: apiOf(values.url), stop: async () => {} });
  else for (const queue of values.queue.split(',')) systems.push(await startSystem(queue));
  for (const { api } of systems) await throughput(api, 50); // warm-up
  console.log(`${ROUNDS} rounds of ${TASKS} tasks, ${SUBMITTERS} submitters; one row a round\n`);
  console.log(
    'queue      submitted/s   tasks/s   alone p50 ms   alone p99 ms   sandbox only/s   ratio',
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const system of systems) console.log(await measure(system));
  }
} finally {
  for (const system of systems) await system.stop();
}

async function startSystem(queue: string): Promise<System> {
  if (queue !== 'sqs' && queue !== 'rabbitmq') throw new Error('--queue is sqs, rabbitmq or both');
  const broker = queue === 'rabbitmq' ? await startRabbit() : undefined;
  const checkout = await checkOut();
  const stack = checkout.start(
    await anyPort(),
    broker && { QUEUE: 'rabbitmq', RABBITMQ_URL: broker.url },
  );
  await stack.ready();
  return {
    name: queue,
    api: apiOf(stack.url),
    async stop() {
      stack.child.kill('SIGTERM');
      await stack.ended;
      await checkout.remove();
      await broker?.close();
    },
  };
}

function apiOf(url: string): string {
  return `${url}/api/tasks`;
}

async function measure({ name, api }: System): Promise<string> {
  const load = await throughput(api, TASKS);
  const alone = await latencies(api, LATENCY_TASKS);
  const sandbox = await sandboxOnly(TASKS);
  return [
    name.padEnd(8),
    load.submittedPerSecond.toFixed(0).padStart(13),
    load.finishedPerSecond.toFixed(0).padStart(9),
    percentile(alone, 50).toFixed(1).padStart(14),
    percentile(alone, 99).toFixed(1).padStart(14),
    sandbox.toFixed(0).padStart(16),
    (load.finishedPerSecond / sandbox).toFixed(2).padStart(7),
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
