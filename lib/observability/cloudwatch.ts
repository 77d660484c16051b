import { METRICS, type MetricName } from './metric-catalogue.ts';
import type { Recorder } from './metrics.ts';

/** Where CloudWatch keeps the metrics of errand. */
export const NAMESPACE = 'errand';

/**
 * Labels that become dimensions, where that is not all: CloudWatch takes money for each combination.
 * The others stand in the line all the same, for Logs Insights.
 */
const DIMENSIONS: Partial<Record<MetricName, readonly string[]>> = {
  errand_http_request_duration_seconds: ['route'],
  errand_statement_duration_seconds: [],
};

/** What CloudWatch takes of one metric in one line. */
const MOST_VALUES = 100;

interface Series {
  readonly name: MetricName;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly values: number[];
}

export interface CloudWatchOptions {
  /** Whose metrics they are, as `errand-prod`: the dimension `service` of all of them. */
  readonly service: string;
  readonly write: (line: string) => void;
}

/**
 * Measures through the log: CloudWatch makes metrics of lines in its embedded metric format, so no
 * call is waited for. Kept until `flush`, since one line can hold what an invocation measured.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function openCloudWatch({ service, write }: CloudWatchOptions): Recorder {
  let kept = new Map<string, Series>();

  function keep(name: MetricName, labels: Series['labels']): number[] {
    const key = JSON.stringify([name, labels]);
    const series = kept.get(key) ?? { name, labels, values: [] };
    kept.set(key, series);
    return series.values;
  }

  return {
    count(name, labels, by) {
      const values = keep(name, labels);
      values[0] = (values[0] ?? 0) + by;
    },
    observe: (name, labels, value) => keep(name, labels).push(value),
    set(name, labels, value) {
      keep(name, labels)[0] = value;
    },
    flush() {
      const all = kept;
      kept = new Map();
      for (const line of linesOf([...all.values()])) {
        write(`${JSON.stringify({ ...line, service })}\n`);
      }
    },
  };
}

/** Series of the same labels share a line: what a line says of a label holds for all its metrics. */
function* linesOf(all: readonly Series[]): Generator<object> {
  for (const alike of Map.groupBy(all, ({ labels }) => JSON.stringify(labels)).values()) {
    const labels = alike[0]?.labels ?? {};
    for (let from = 0; alike.some(({ values }) => values.length > from); from += MOST_VALUES) {
      const some = alike.filter(({ values }) => values.length > from);
      const values = some.map(({ name, values }) => [name, values.slice(from, from + MOST_VALUES)]);
      yield {
        _aws: { Timestamp: Date.now(), CloudWatchMetrics: some.map(({ name }) => directive(name)) },
        ...labels,
        ...Object.fromEntries(values),
      };
    }
  }
}

function directive(name: MetricName) {
  return {
    Namespace: NAMESPACE,
    Dimensions: [['service', ...(DIMENSIONS[name] ?? METRICS[name].labels)]],
    Metrics: [{ Name: name, Unit: unitOf(name) }],
  };
}

/** In CloudWatch's words; Prometheus has it at the end of the name. */
function unitOf(name: MetricName): 'Seconds' | 'Bytes' | 'Count' {
  if (name.endsWith('_seconds')) return 'Seconds';
  return /_bytes(_total)?$/.test(name) ? 'Bytes' : 'Count';
}
