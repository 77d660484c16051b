import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  Registry,
} from 'prom-client';
import { METRICS } from './metric-catalogue.ts';
import type { Recorder } from './metrics.ts';

/** As Prometheus scrapes it. */
export interface MetricsText {
  readonly contentType: string;
  readonly text: string;
}

export interface Prometheus extends Recorder {
  /** OpenMetrics text of all that was recorded, and of this process: its processor, memory, loop. */
  render(): Promise<MetricsText>;
}

export function openPrometheus(): Prometheus {
  const registry = new Registry<OpenMetricsContentType>();
  registry.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  const counters = new Map<string, Counter>();
  const histograms = new Map<string, Histogram>();
  const gauges = new Map<string, Gauge>();
  for (const [name, { kind, help, labels, ...rest }] of Object.entries(METRICS)) {
    const options = { name, help, labelNames: [...labels], registers };
    if (kind === 'counter') counters.set(name, new Counter(options));
    if (kind === 'gauge') gauges.set(name, new Gauge(options));
    if (kind === 'histogram' && 'buckets' in rest) {
      histograms.set(name, new Histogram({ ...options, buckets: [...rest.buckets] }));
    }
  }
  const recorder: Recorder = {
    count: (name, labels, by) => counters.get(name)?.inc(labels, by),
    observe: (name, labels, value) => histograms.get(name)?.observe(labels, value),
    set: (name, labels, value) => gauges.get(name)?.set(labels, value),
  };
  return {
    ...recorder,
    async render() {
      await measureDisk(recorder);
      return { contentType: registry.contentType, text: await registry.metrics() };
    },
  };
}

/** That of the temporary files: commands write there, and a full one stops them. */
async function measureDisk(recorder: Recorder): Promise<void> {
  const { bsize, blocks, bavail } = await statfs(tmpdir());
  recorder.set('errand_disk_bytes', { state: 'size' }, bsize * blocks);
  recorder.set('errand_disk_bytes', { state: 'free' }, bsize * bavail);
}
