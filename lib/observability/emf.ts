/** Where CloudWatch keeps the metrics of errand. */
export const NAMESPACE = 'errand';

/** Every metric of ours by name, with its unit, as CloudWatch spells them. */
export const METRICS = {
  /** How long the message has been owed to the queue that has been for longest. */
  RelayLag: 'Seconds',
} as const satisfies Readonly<Record<string, 'Seconds'>>;
export type MetricName = keyof typeof METRICS;

/** Tells the value that a metric has now. */
export type Measure = (metric: MetricName, value: number) => void;

/**
 * Measures through the log: CloudWatch makes a metric of a line in its embedded metric format, so no
 * call is waited or paid for. A metric is of one function, by the dimension that Lambda's own have.
 * https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 */
export function makeEmfMeasure(
  functionName: string,
  // Not the console, before whose lines Lambda's runtime puts the time.
  write: (line: string) => void = (line) => process.stdout.write(line),
): Measure {
  return (metric, value) => {
    const directive = {
      Namespace: NAMESPACE,
      Dimensions: [['FunctionName']],
      Metrics: [{ Name: metric, Unit: METRICS[metric] }],
    };
    const line = {
      _aws: { Timestamp: Date.now(), CloudWatchMetrics: [directive] },
      FunctionName: functionName,
      [metric]: value,
    };
    write(`${JSON.stringify(line)}\n`);
  };
}
