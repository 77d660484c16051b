import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import { findMax } from './find-max.ts';
import { type Bounds, judge } from './judge.ts';
import type { Report } from './report.ts';
import { type Plan, runLoad, type Watchers } from './run-load.ts';

/** For what a step leaves behind though its tasks have ended: a vacuum, full buffers, closed sockets. */
const SETTLE_MS = 2000;

export interface Step {
  readonly rate: number;
  /** In what the rate did not hold; empty: it holds. */
  readonly broken: readonly string[];
}

export interface Search {
  readonly bounds: Bounds;
  readonly steps: readonly Step[];
  /** Undefined: none that was tried. */
  readonly highest: number | undefined;
  /** Of the highest rate that holds or, without one, of the last that was tried. */
  readonly report: Report;
}

export interface SearchOptions {
  readonly plan: Plan;
  readonly firstRate: number;
  readonly bounds: Bounds;
  readonly onStep: (step: Step) => void;
}

/** Runs one load after the other, each from an idle server on. @throws Failure when it stays busy */
export async function searchMax(options: SearchOptions, watchers: Watchers): Promise<Search> {
  const { plan, bounds, firstRate, onStep } = options;
  const steps: Step[] = [];
  const reports = new Map<number, Report>();
  const highest = await findMax(firstRate, async (rate) => {
    if (watchers.signal.aborted) return undefined;
    const report = await runLoad(atRate(plan, rate), watchers);
    reports.set(rate, report);
    if (report.endedEarly) return undefined;
    const step = { rate, broken: judge(report, bounds) };
    steps.push(step);
    onStep(step);
    await settle(report, watchers.signal);
    return step;
  });
  const report = (highest && reports.get(highest)) ?? [...reports.values()].at(-1);
  if (!report) throw new Failure('Stopped before anything was tried.', 'Let it run.');
  return { bounds, steps, highest, report };
}

function atRate(plan: Plan, rate: number): Plan {
  const phases = plan.phases.map(({ seconds }) => ({ fromRate: rate, toRate: rate, seconds }));
  return { ...plan, phases };
}

async function settle({ tasks, plan, tasksUnread }: Report, signal: AbortSignal): Promise<void> {
  if (tasksUnread !== null) throw new Failure(tasksUnread, 'Is errand still up?');
  if (tasks.backlog > 0) {
    throw new Failure(
      `${tasks.backlog} tasks had not ended ${plan.drainSeconds} s after a step, and would slow the next one.`,
      `Give them more time: --drain ${Math.max(60, Math.ceil(plan.drainSeconds * 3))}`,
    );
  }
  await delay(SETTLE_MS, undefined, { signal }).catch(() => {});
}

export function formatStep({ rate, broken }: Step): string {
  return `${String(rate).padStart(7)}/s  ${broken.length === 0 ? 'holds' : broken.join('; ')}`;
}

export function formatSearch({ highest, bounds }: Search): string {
  const bound = `p99 of at most ${bounds.p99Ms} ms, tasks ending as fast as they come`;
  return highest === undefined
    ? `No rate that was tried holds (${bound}).`
    : `${highest} requests/s is the highest rate found that holds (${bound}).`;
}
