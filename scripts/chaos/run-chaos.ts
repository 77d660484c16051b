import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { findIllegalStates, findIllegalSteps, recordHistory } from './history.ts';
import { submitTasks } from './load.ts';
import { processesWith } from './orphans.ts';
import { type PartName, type QueueName, type System, startSystem } from './system.ts';

export interface ChaosOptions {
  readonly queue: QueueName;
  readonly tasks: number;
  /** How long tasks are sent and parts are killed. */
  readonly seconds: number;
  readonly kills: number;
  /** From then on until all is quiet. */
  readonly quietWithinSeconds: number;
  readonly tell: (line: string) => void;
}

export interface ChaosReport {
  readonly kills: Readonly<Partial<Record<PartName, number>>>;
  /** Answered with 202. */
  readonly accepted: number;
  /** Stored, though their request was never answered. */
  readonly unanswered: number;
  readonly ended: number;
  readonly byEnding: Readonly<Record<string, number>>;
  /** Executions beyond the first of a task: allowed, since delivery is at least once. */
  readonly ranAgain: number;
  readonly quietAfterSeconds: number;
  readonly lost: number;
  readonly stuck: number;
  readonly settledTwice: number;
  readonly orphans: number;
  /** What was wrong, in words. */
  readonly findings: readonly string[];
}

/** Brings up a system, sends it tasks while killing its parts, and judges what became of them. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const { tell } = options;
  const mark = `chaos-${randomUUID()}`;
  const system = await startSystem(options.queue);
  let stopped = false;
  try {
    tell(`running at ${system.url}`);
    await recordHistory(system.sql);
    const kills = killParts(system, options);
    const accepted = await submitTasks(system.url, {
      count: options.tasks,
      seconds: options.seconds,
      mark,
    });
    tell(`accepted ${accepted.length} tasks`);
    const killed = await kills;
    const quietAfterSeconds = await becomeQuiet(system, options);
    const leftInSandboxes = await remaining(() => processesWith(mark));
    const report = await judge(system, accepted);
    await system.stop();
    stopped = true;
    const leftOfSystem = await remaining(() => processesWith(system.directory));
    const orphans = [...leftInSandboxes, ...leftOfSystem];
    return {
      ...report,
      kills: killed,
      quietAfterSeconds,
      orphans: orphans.length,
      findings: [...report.findings, ...orphans.map((orphan) => `still there: ${orphan}`)],
    };
  } finally {
    if (!stopped) await system.stop();
  }
}

/** One part after another dies, in random order, but only ones that have come up again. */
async function killParts(system: System, { kills, seconds, tell }: ChaosOptions) {
  const count: Partial<Record<PartName, number>> = {};
  const everyMs = (seconds * 1000) / kills;
  let killed = 0;
  while (killed < kills) {
    await delay(everyMs * (0.5 + Math.random()));
    const up = system.parts.filter((part) => system.pidOf(part) !== undefined);
    const part = up[Math.floor(Math.random() * up.length)];
    if (part === undefined || !system.kill(part)) continue;
    count[part] = (count[part] ?? 0) + 1;
    killed += 1;
    tell(`killed ${part} (${killed} of ${kills})`);
  }
  return count;
}

async function becomeQuiet(system: System, { quietWithinSeconds, tell }: ChaosOptions) {
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  for (const part of system.parts) await system.ready(part);
  while (seconds() < quietWithinSeconds) {
    const open = await countOpen(system).catch((error: unknown) => {
      if (!isDatabaseUnavailable(error)) throw error;
    });
    if (open === 0) break;
    tell(`${open ?? '?'} tasks have not ended`);
    await delay(1000);
  }
  return seconds();
}

async function countOpen({ sql }: System): Promise<number> {
  const [row] = await sql<[{ open: number }]>`
    select count(*) as open from errand.tasks where finished_at is null`;
  return row.open;
}

/** What is left after it has had a moment to go. */
async function remaining(find: () => string[]): Promise<string[]> {
  for (let tries = 0; tries < 20 && find().length > 0; tries++) await delay(100);
  return find();
}

async function judge({ sql }: System, accepted: readonly TaskId[]) {
  const tasks = await sql<
    { id: TaskId; status: string; failure: string | null; attempt: number }[]
  >`
    select id, status, failure_code as failure, attempt from errand.tasks`;
  const stored = new Map(tasks.map((task) => [task.id, task]));
  const lost = accepted.filter((id) => !stored.has(id));
  const stuck = tasks.filter(({ status }) => status === 'queued' || status === 'running');
  const illegal = [...(await findIllegalSteps(sql)), ...(await findIllegalStates(sql))];

  const byEnding: Record<string, number> = {};
  for (const { status, failure } of tasks) {
    const ending = failure ?? status;
    byEnding[ending] = (byEnding[ending] ?? 0) + 1;
  }
  return {
    accepted: accepted.length,
    unanswered: tasks.length - (accepted.length - lost.length),
    ended: tasks.length - stuck.length,
    byEnding,
    ranAgain: tasks.reduce((sum, { attempt }) => sum + Math.max(0, attempt - 1), 0),
    lost: lost.length,
    stuck: stuck.length,
    settledTwice: illegal.length,
    findings: [
      ...lost.map((id) => `lost: ${id}`),
      ...stuck.map(({ id, status, attempt }) => `stuck: ${id} is ${status}, attempt ${attempt}`),
      ...illegal.map(({ taskId, what }) => `${taskId}: ${what}`),
    ],
  };
}
