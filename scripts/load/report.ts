import { totalSeconds } from './arrivals.ts';
import type { Percentiles } from './latencies.ts';
import type { MemorySample } from './memory.ts';
import type { RequestBin, RequestFigures } from './recorder.ts';
import type { Plan } from './run-load.ts';
import type { TaskBin, TaskFigures } from './task-figures.ts';

/** What a run showed: what is saved, told and drawn. Times are in seconds or milliseconds by name. */
export interface Report {
  readonly version: 1;
  readonly run: string;
  readonly startedAt: string;
  readonly endedEarly: boolean;
  readonly plan: Omit<Plan, 'key'>;
  /** Until nothing was due any more, until the last answer, and until all tasks had ended, or were no longer waited for. */
  readonly dueSeconds: number;
  readonly answeredSeconds: number;
  readonly drainedSeconds: number;
  readonly requests: Omit<RequestFigures, 'bins'>;
  readonly tasks: Omit<TaskFigures, 'bins'>;
  /** Why nothing is known of the tasks, which are 0 then. */
  readonly tasksUnread: string | null;
  readonly throughput: {
    readonly duePerSecond: number;
    readonly createdPerSecond: number;
    /** Of the stretches in which tasks waited from beginning to end: what it can do at most. */
    readonly endedPerSecondWhileSaturated: number | null;
    readonly endedPerSecond: number;
  };
  readonly binSeconds: number;
  readonly series: readonly Point[];
  readonly memory: readonly MemorySample[];
}

/** One stretch of time, from `seconds` on. */
export interface Point {
  readonly seconds: number;
  readonly due: number;
  readonly answered: number;
  readonly errors: number;
  readonly limited: number;
  readonly unsent: number;
  readonly created: number;
  readonly ended: number;
  readonly queued: number;
  readonly running: number;
  readonly latencyMs: Percentiles;
  readonly endToEndMs: Percentiles;
}

export interface Seen {
  readonly plan: Plan;
  readonly run: string;
  readonly startedAt: Date;
  readonly endedEarly: boolean;
  readonly answeredSeconds: number;
  readonly drainedSeconds: number;
  readonly binSeconds: number;
  readonly requests: RequestFigures;
  readonly tasks: TaskFigures;
  readonly tasksUnread: string | null;
  readonly memory: readonly MemorySample[];
}

export function makeReport(seen: Seen): Report {
  const { bins: requestBins, ...requests } = seen.requests;
  const { bins: taskBins, ...tasks } = seen.tasks;
  const { key: _, ...plan } = seen.plan;
  const series = joinBins(requestBins, taskBins, seen.binSeconds);
  const plannedSeconds = totalSeconds(plan.phases);
  // The last answer may well come before the next request would have been due.
  const dueSeconds = seen.endedEarly
    ? Math.min(plannedSeconds, seen.answeredSeconds)
    : plannedSeconds;
  const ended = tasks.created - tasks.backlog;
  return {
    version: 1,
    run: seen.run,
    startedAt: seen.startedAt.toISOString(),
    endedEarly: seen.endedEarly,
    plan,
    dueSeconds,
    answeredSeconds: seen.answeredSeconds,
    drainedSeconds: seen.drainedSeconds,
    requests,
    tasks,
    tasksUnread: seen.tasksUnread,
    throughput: {
      duePerSecond: requests.due / dueSeconds,
      createdPerSecond: tasks.created / dueSeconds,
      endedPerSecondWhileSaturated: saturatedRate(series, seen.binSeconds),
      endedPerSecond: ended / seen.drainedSeconds,
    },
    binSeconds: seen.binSeconds,
    series,
    memory: seen.memory,
  };
}

const NO_TASKS = { created: 0, ended: 0, queued: 0, running: 0 };
const NO_REQUESTS = { due: 0, answered: 0, errors: 0, limited: 0, unsent: 0 };
const NO_TIMES = { p50: null, p90: null, p99: null, p999: null, max: null };

function joinBins(
  requests: readonly RequestBin[],
  tasks: readonly TaskBin[],
  binSeconds: number,
): Point[] {
  const length = Math.max(requests.length, tasks.length);
  return Array.from({ length }, (_, index) => {
    // A run that was given up early leaves tasks behind the last stretch in which one ended.
    const last = tasks.at(-1) ?? NO_TASKS;
    const { endToEndMs, ...counts } = tasks[index] ?? {
      ...NO_TASKS,
      queued: last.queued,
      running: last.running,
      endToEndMs: NO_TIMES,
    };
    const { latencyMs, ...sent } = requests[index] ?? { ...NO_REQUESTS, latencyMs: NO_TIMES };
    return { seconds: index * binSeconds, ...sent, ...counts, latencyMs, endToEndMs };
  });
}

/** Tasks ended a second where there was more waiting, before and after, than a second gets done. */
function saturatedRate(series: readonly Point[], binSeconds: number): number | null {
  const saturated = series.filter(
    ({ ended, queued }, index) =>
      Math.min(queued, series[index - 1]?.queued ?? 0) > ended / binSeconds,
  );
  if (saturated.length === 0) return null;
  const ended = saturated.reduce((sum, point) => sum + point.ended, 0);
  return ended / (saturated.length * binSeconds);
}

/** Of what was due, the percentage that failed: errors, and what could not even be sent. */
export function failedPercent({ requests: { due, errors, unsent } }: Report): number {
  return due === 0 ? 0 : ((errors + unsent) / due) * 100;
}
