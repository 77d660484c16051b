import type { Percentiles } from './latencies.ts';
import type { Progress } from './look-on.ts';
import { failedPercent, type Report } from './report.ts';

/** One line, for a terminal or a log. */
export function formatProgress(progress: Progress): string {
  const { state, seconds, answered, open, errors, limited, unsent, queued, running } = progress;
  const parts = [
    `${seconds.toFixed(0)} s`,
    STATES[state],
    `${answered} answered`,
    `${open} open`,
    `${queued ?? '?'} queued`,
    `${running ?? '?'} running`,
    ...(errors > 0 ? [`${errors} errors`] : []),
    ...(limited > 0 ? [`${limited} refused with 429`] : []),
    ...(unsent > 0 ? [`${unsent} unsent`] : []),
  ];
  return parts.join(', ');
}

const STATES: Readonly<Record<Progress['state'], string>> = {
  sending: 'sending',
  draining: 'waiting for tasks to end',
  reading: 'reading what became of the tasks',
};

/** The summary, for people. */
export function formatReport(report: Report): string {
  const { requests, tasks, throughput } = report;
  return [
    ...formatTimes(report),
    '',
    ...notes(report),
    `requests   ${requests.due} due, ${perSecond(throughput.duePerSecond)}; ${requests.sent} sent; ` +
      `failed ${failedPercent(report).toFixed(2)} %` +
      (requests.limited > 0 ? `; refused with 429 ${requests.limited}` : ''),
    `tasks      ${tasks.created} created, ${perSecond(throughput.createdPerSecond)}; ` +
      `${tasks.created - tasks.backlog} ended, ${perSecond(throughput.endedPerSecond)}: ` +
      `${tasks.byStatus.succeeded} succeeded, ${tasks.byStatus.failed} failed, ` +
      `${tasks.byStatus.cancelled} cancelled`,
    `backlog    at most ${deepest(report)} queued; ${tasks.backlog} left after ` +
      `${(report.drainedSeconds - report.dueSeconds).toFixed(0)} s without load` +
      (throughput.endedPerSecondWhileSaturated === null
        ? ''
        : `; ${perSecond(throughput.endedPerSecondWhileSaturated)} ended while it was saturated`),
    ...formatMemory(report),
  ].join('\n');
}

function formatTimes({ requests, tasks }: Report): string[] {
  const rows = Object.entries(requests.operations).map(([name, figures]) => [
    name,
    String(figures.count),
    String(figures.errors),
    ...times(figures.latencyMs),
    counts({ ...figures.byStatus, ...figures.failures }),
  ]);
  const ended = tasks.created - tasks.backlog;
  return table([
    ['milliseconds', 'count', 'errors', 'p50', 'p90', 'p99', 'p99.9', 'max', 'answers'],
    ...rows,
    [
      'created to started',
      String(tasks.started),
      '',
      ...times(tasks.waitMs),
      'by the times of the tasks themselves',
    ],
    [
      'created to ended',
      String(ended - tasks.byStatus.cancelled),
      '',
      ...times(tasks.endToEndMs),
      '',
    ],
  ]);
}

function times({ p50, p90, p99, p999, max }: Percentiles): string[] {
  return [p50, p90, p99, p999, max].map(formatMs);
}

/** Three figures, which is what a histogram knows. */
export function formatMs(ms: number | null): string {
  if (ms === null) return '-';
  return ms < 100 ? String(Number(ms.toPrecision(3))) : String(Math.round(ms));
}

function counts(byName: Readonly<Record<string, number>>): string {
  return Object.entries(byName)
    .map(([name, count]) => `${name}: ${count}`)
    .join(', ');
}

function table(rows: readonly string[][]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, column) => Math.max(widest[column] ?? 0, cell.length)),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        // Figures to the right, words to the left.
        return column > 0 && column < row.length - 1 ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

/** What a reader must know before the figures are believed. */
function notes({ endedEarly, requests, plan, tasksUnread }: Report): string[] {
  const lines: string[] = [];
  if (endedEarly) {
    lines.push(
      `Ended early: ${requests.cutOff} requests were given up, and are in no figure above.`,
    );
  }
  if (tasksUnread !== null) lines.push(`No figure of tasks is known. ${tasksUnread}`);
  if (requests.unsent > 0) {
    lines.push(
      `${requests.unsent} requests were not sent, as ${plan.maxOpen} were open already (--max-open): ` +
        'the times above are better than what clients would have seen.',
    );
  }
  if ((requests.lateMs.p99 ?? 0) > 20) {
    lines.push(
      `This process sent late: p99 ${formatMs(requests.lateMs.p99)} ms, which is part of the times ` +
        'above. It, or this machine, is a bottleneck.',
    );
  }
  return lines.length > 0 ? [...lines, ''] : [];
}

function perSecond(rate: number): string {
  return `${rate.toFixed(1)}/s`;
}

function deepest({ series }: Report): number {
  return series.reduce((most, { queued }) => Math.max(most, queued), 0);
}

function formatMemory({ memory }: Report): string[] {
  const [first, last] = [memory[0], memory.at(-1)];
  if (!first || !last) return [];
  const parts = Object.entries(last.mb).map(
    ([name, mb]) => `${name} ${(first.mb[name] ?? 0).toFixed(0)} to ${mb.toFixed(0)}`,
  );
  return [`memory     MB at the beginning and the end: ${parts.join(', ')}`];
}
