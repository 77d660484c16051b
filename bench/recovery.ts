/**
 * `npm run bench:recovery -- --rounds 5`: how long a running task waits after the SIGKILL of its
 * worker until it runs again, in a whole system. Bound: lease + one rescue interval + 2 s.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { TaskId } from '../lib/tasks/task.ts';
import { startSystem } from '../scripts/chaos/system.ts';

const LEASE_SECONDS = Number(process.env.LEASE_SECONDS || 30);
/** Of the local schedule (dev/local-events.ts). */
const RESCUE_SECONDS = 1;
const SLACK_SECONDS = 2;
/** As many as run at once locally (serverless.yml). */
const TASKS = 8;

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } });
const system = await startSystem('sqs');
const waitedSeconds: number[] = [];
try {
  for (let round = 1; round <= Number(values.rounds); round++) {
    const seconds = await measureRound();
    waitedSeconds.push(...seconds);
    console.log(`round ${round}: ${seconds.map((s) => s.toFixed(1)).join(' ')} s`);
  }
} finally {
  await system.stop();
}

waitedSeconds.sort((a, b) => a - b);
const at = (share: number) =>
  waitedSeconds[Math.ceil(share * waitedSeconds.length) - 1] ?? Number.NaN;
const bound = LEASE_SECONDS + RESCUE_SECONDS + SLACK_SECONDS;
console.log(
  `recovery after SIGKILL (lease ${LEASE_SECONDS} s, rescue every ${RESCUE_SECONDS} s, ` +
    `${waitedSeconds.length} tasks): p50 ${at(0.5).toFixed(1)} s, max ${at(1).toFixed(1)} s, ` +
    `bound ${bound} s`,
);
process.exit(at(1) <= bound ? 0 : 1);

/** Fills the worker with commands, kills it somewhere in their leases, waits for the next attempts. */
async function measureRound(): Promise<number[]> {
  await system.ready('functions');
  const ids = await Promise.all(Array.from({ length: TASKS }, submit));
  await until(async () => (await attemptsOf(ids)).length === TASKS);
  await delay(Math.random() * LEASE_SECONDS * 500);
  const [{ now }] = await system.sql<[{ now: Date }]>`select clock_timestamp() as now`;
  system.kill('functions');
  await until(
    async () => (await attemptsOf(ids)).filter(({ number }) => number === 2).length === TASKS,
  );
  const again = (await attemptsOf(ids)).filter(({ number }) => number === 2);
  await Promise.all(ids.map(cancel));
  await until(async () => (await openTasks(ids)) === 0);
  return again.map(({ startedAt }) => (startedAt.getTime() - now.getTime()) / 1000);
}

async function submit(): Promise<TaskId> {
  const response = await fetch(`${system.url}/api/tasks`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ command: 'sleep 600', timeoutSeconds: 700 }),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return ((await response.json()) as { id: TaskId }).id;
}

function cancel(id: TaskId): Promise<Response> {
  return fetch(`${system.url}/api/tasks/${id}/cancel`, { method: 'POST' });
}

async function attemptsOf(ids: readonly TaskId[]) {
  return system.sql<{ number: number; startedAt: Date }[]>`
    select number, started_at as "startedAt" from errand.attempts where task_id in ${system.sql(ids)}`;
}

async function openTasks(ids: readonly TaskId[]): Promise<number> {
  const [{ open }] = await system.sql<[{ open: number }]>`
    select count(*) as open from errand.tasks
     where id in ${system.sql(ids)} and finished_at is null`;
  return open;
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(100);
}
