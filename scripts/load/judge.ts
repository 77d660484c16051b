import { formatMs } from './format.ts';
import { failedPercent, type Report } from './report.ts';

/** Seconds of arriving tasks that may wait at the end of a step: more, and they pile up. */
const MAX_BACKLOG_SECONDS = 1;

export interface Bounds {
  readonly p99Ms: number;
  readonly maxErrorsPercent: number;
}

/** In what a run did not hold; empty when it held. */
export function judge(report: Report, { p99Ms, maxErrorsPercent }: Bounds): string[] {
  const broken: string[] = [];
  for (const [operation, { latencyMs }] of Object.entries(report.requests.operations)) {
    // A wait takes as long as its command. That commands end in time, the backlog tells.
    if (operation === 'wait' || (latencyMs.p99 ?? 0) <= p99Ms) continue;
    broken.push(`p99 of ${operation} ${formatMs(latencyMs.p99)} ms`);
  }
  if (report.tasksUnread !== null) broken.push('its tasks could not be read');
  const failed = failedPercent(report);
  if (failed > maxErrorsPercent) broken.push(`${failed.toFixed(2)} % failed`);
  if (report.requests.limited > 0) broken.push(`${report.requests.limited} refused with 429`);
  const queued = queuedAtEnd(report);
  const most = report.throughput.createdPerSecond * MAX_BACKLOG_SECONDS;
  if (queued > most) broken.push(`${queued} tasks queued at its end`);
  return broken;
}

/** In the last whole stretch in which requests were due. */
function queuedAtEnd({ series, dueSeconds, binSeconds }: Report): number {
  const last = Math.max(0, Math.floor(dueSeconds / binSeconds) - 1);
  return series[last]?.queued ?? 0;
}
