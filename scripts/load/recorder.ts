import type { Answer } from './client.ts';
import type { Arrival } from './dispatch.ts';
import { type Latencies, openLatencies, type Percentiles } from './latencies.ts';
import { OPERATIONS, type Operation } from './mixes.ts';
import { isExpected } from './operations.ts';

/** What became of the requests of one kind. */
export interface OperationFigures {
  /** All that were sent, but for those that were given up at the end. */
  readonly count: number;
  /** Answers by status, such as `202`. */
  readonly byStatus: Readonly<Record<string, number>>;
  /** No answer, by reason, such as `ECONNREFUSED`. */
  readonly failures: Readonly<Record<string, number>>;
  /** Answers that are not what a client asked for, and no answer. Not: 429. */
  readonly errors: number;
  readonly limited: number;
  /** From when it was due to its answer, or to when none came. Not: of a 429. */
  readonly latencyMs: Percentiles;
}

/** What became of the requests that were due, or answered, in one stretch of time. */
export interface RequestBin {
  readonly due: number;
  readonly answered: number;
  readonly errors: number;
  readonly limited: number;
  readonly unsent: number;
  /** Of requests that were due then. Not: of `wait`, which takes as long as its command. */
  readonly latencyMs: Percentiles;
}

export interface Recorder {
  sent(arrival: Arrival): void;
  unsent(arrival: Arrival): void;
  answered(operation: Operation, arrival: Arrival, answer: Answer, doneMs: number): void;
  figures(): RequestFigures;
  /** So far, for who looks on. */
  live(): LiveFigures;
}

export interface RequestFigures {
  readonly due: number;
  readonly sent: number;
  readonly unsent: number;
  readonly cutOff: number;
  readonly errors: number;
  readonly limited: number;
  /** By how much this process was late to send what was due: the part of latencies that is ours. */
  readonly lateMs: Percentiles;
  readonly operations: Readonly<Partial<Record<Operation, OperationFigures>>>;
  readonly bins: readonly RequestBin[];
}

export interface LiveFigures {
  readonly answered: number;
  /** Sent, and without an answer yet. */
  readonly open: number;
  readonly errors: number;
  readonly limited: number;
  readonly unsent: number;
}

/** `binMs`: into how long stretches the time of a run is cut. */
export function openRecorder(binMs: number): Recorder {
  const operations = new Map<Operation, ReturnType<typeof openTally>>();
  const bins: ReturnType<typeof openBin>[] = [];
  const late = openLatencies();
  const totals = { due: 0, open: 0, answered: 0, unsent: 0, cutOff: 0, errors: 0, limited: 0 };

  function binAt(ms: number) {
    const index = Math.floor(ms / binMs);
    while (bins.length <= index) bins.push(openBin());
    return bins[index] as ReturnType<typeof openBin>;
  }

  function tallyOf(operation: Operation) {
    const tally = operations.get(operation) ?? openTally();
    operations.set(operation, tally);
    return tally;
  }

  return {
    sent({ dueMs, sentMs }) {
      totals.due++;
      totals.open++;
      binAt(dueMs).due++;
      late.record(sentMs - dueMs);
    },
    unsent({ dueMs }) {
      totals.due++;
      totals.unsent++;
      binAt(dueMs).due++;
      binAt(dueMs).unsent++;
    },
    answered(operation, { dueMs }, answer, doneMs) {
      totals.open--;
      if (answer.kind === 'cut off') {
        totals.cutOff++;
        return;
      }
      const tally = tallyOf(operation);
      tally.count++;
      count(answer.kind === 'answered' ? tally.byStatus : tally.failures, nameOf(answer));
      if (answer.kind === 'answered') {
        totals.answered++;
        binAt(doneMs).answered++;
      }
      const bin = binAt(dueMs);
      const verdict = verdictOn(operation, answer);
      if (verdict === 'limited') {
        for (const each of [totals, tally, bin]) each.limited++;
        return;
      }
      if (verdict === 'error') for (const each of [totals, tally, bin]) each.errors++;
      tally.latencies.record(doneMs - dueMs);
      if (operation !== 'wait') bin.latencies.record(doneMs - dueMs);
    },
    live: () => ({ ...totals }),
    figures: () => ({
      due: totals.due,
      sent: totals.due - totals.unsent,
      unsent: totals.unsent,
      cutOff: totals.cutOff,
      errors: totals.errors,
      limited: totals.limited,
      lateMs: late.percentiles(),
      operations: Object.fromEntries(
        OPERATIONS.flatMap((name) => {
          const tally = operations.get(name);
          if (!tally) return [];
          const { latencies, ...rest } = tally;
          return [[name, { ...rest, latencyMs: latencies.percentiles() }]];
        }),
      ),
      bins: bins.map(({ latencies, ...rest }) => ({
        ...rest,
        latencyMs: latencies.percentiles(),
      })),
    }),
  };
}

function openTally() {
  return { ...noFigures(), count: 0, latencies: openLatencies() };
}

function openBin() {
  const latencies: Latencies = openLatencies(2);
  return { due: 0, answered: 0, errors: 0, limited: 0, unsent: 0, latencies };
}

function noFigures() {
  const byStatus: Record<string, number> = {};
  const failures: Record<string, number> = {};
  return { byStatus, failures, errors: 0, limited: 0 };
}

function count(counts: Record<string, number>, name: string): void {
  counts[name] = (counts[name] ?? 0) + 1;
}

function nameOf(answer: Exclude<Answer, { kind: 'cut off' }>): string {
  return answer.kind === 'answered' ? String(answer.status) : answer.reason;
}

function verdictOn(
  operation: Operation,
  answer: Exclude<Answer, { kind: 'cut off' }>,
): 'expected' | 'limited' | 'error' {
  if (answer.kind === 'failed') return 'error';
  if (answer.status === 429) return 'limited';
  return isExpected(operation, answer.status) ? 'expected' : 'error';
}
