import type { Counter, Gauge, Histogram, LabelsOf } from './metric-catalogue.ts';

/** Where measurements go. */
export interface Recorder {
  count<Name extends Counter>(name: Name, labels: LabelsOf<Name>, by: number): void;
  observe<Name extends Histogram>(name: Name, labels: LabelsOf<Name>, value: number): void;
  set<Name extends Gauge>(name: Name, labels: LabelsOf<Name>, value: number): void;
  /** Writes what is kept back, where something is. */
  flush?(): void;
}

let recorder: Recorder | undefined;

/** From now on, measurements of this process go there. Before, they go nowhere and cost nothing. */
export function recordTo(to: Recorder | undefined): void {
  recorder = to;
}

export function count<Name extends Counter>(name: Name, labels: LabelsOf<Name>, by = 1): void {
  if (by > 0) recorder?.count(name, labels, by);
}

export function observe<Name extends Histogram>(
  name: Name,
  labels: LabelsOf<Name>,
  value: number,
): void {
  recorder?.observe(name, labels, value);
}

export function set<Name extends Gauge>(name: Name, labels: LabelsOf<Name>, value: number): void {
  recorder?.set(name, labels, value);
}

/** To be called before an invocation ends: Lambda may freeze the process right after. */
export function flushMetrics(): void {
  recorder?.flush?.();
}
