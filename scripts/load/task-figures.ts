import type { FollowedTask } from './followed-tasks.ts';
import { openLatencies, type Percentiles } from './latencies.ts';

/** What became of the tasks that a run created. */
export interface TaskFigures {
  readonly created: number;
  readonly byStatus: Readonly<Record<FollowedTask['status'], number>>;
  readonly started: number;
  /** Created and not ended, when they were looked at. */
  readonly backlog: number;
  /** From created to ended, of those that were not cancelled. */
  readonly endToEndMs: Percentiles;
  /** From created to started. */
  readonly waitMs: Percentiles;
  readonly runMs: Percentiles;
  readonly bins: readonly TaskBin[];
}

/** What happened to the tasks in one stretch of time, and how many there were at its end. */
export interface TaskBin {
  readonly created: number;
  readonly ended: number;
  readonly queued: number;
  readonly running: number;
  /** Of those that were created then. */
  readonly endToEndMs: Percentiles;
}

export interface TaskFiguresOptions {
  /** When the run began, by the clock of the server, in milliseconds since 1970. */
  readonly beganAt: number;
  readonly binMs: number;
}

export async function readTaskFigures(
  tasks: AsyncIterable<FollowedTask> | Iterable<FollowedTask>,
  { beganAt, binMs }: TaskFiguresOptions,
): Promise<TaskFigures> {
  const byStatus = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const [endToEnd, wait, run] = [openLatencies(), openLatencies(), openLatencies()];
  const bins: ReturnType<typeof openBin>[] = [];

  function binAt(time: number) {
    const index = Math.max(0, Math.floor((time - beganAt) / binMs));
    while (bins.length <= index) bins.push(openBin());
    return bins[index] as ReturnType<typeof openBin>;
  }

  for await (const task of tasks) {
    const { status } = task;
    const [created, started, finished] = [task.createdAt, task.startedAt, task.finishedAt].map(
      (time) => (time === null ? undefined : Date.parse(time)),
    );
    if (created === undefined) continue;
    byStatus[status]++;
    binAt(created).created++;
    if (started !== undefined) {
      binAt(started).started++;
      wait.record(started - created);
    }
    if (finished === undefined) continue;
    const bin = binAt(finished);
    bin.ended++;
    if (started === undefined) bin.endedUnstarted++;
    if (started !== undefined) run.record(finished - started);
    if (status === 'cancelled') continue;
    endToEnd.record(finished - created);
    binAt(created).endToEnd.record(finished - created);
  }
  const { queued, running, ...ended } = byStatus;
  const created = queued + running + Object.values(ended).reduce((sum, count) => sum + count, 0);
  return {
    created,
    started: bins.reduce((sum, bin) => sum + bin.started, 0),
    byStatus,
    backlog: queued + running,
    endToEndMs: endToEnd.percentiles(),
    waitMs: wait.percentiles(),
    runMs: run.percentiles(),
    bins: withDepths(bins),
  };
}

function openBin() {
  return { created: 0, started: 0, ended: 0, endedUnstarted: 0, endToEnd: openLatencies(2) };
}

/** What had come and not gone by the end of each stretch. */
function withDepths(bins: readonly ReturnType<typeof openBin>[]): TaskBin[] {
  let queued = 0;
  let running = 0;
  return bins.map(({ created, started, ended, endedUnstarted, endToEnd }) => {
    queued += created - started - endedUnstarted;
    running += started - (ended - endedUnstarted);
    return { created, ended, queued, running, endToEndMs: endToEnd.percentiles() };
  });
}
