import { parseFunctionName, parseLogLevel, parseMetrics, parseTracing } from './config/config.ts';
import { openCloudWatch } from './observability/cloudwatch.ts';
import { makeLogger } from './observability/logger.ts';
import { recordTo } from './observability/metrics.ts';
import { nameSourcesInStackTraces } from './observability/stack-traces.ts';
import { traceTo } from './observability/tracing.ts';

// What a process tells of itself, from its first line on: it is set up when this is imported.

export const logger = makeLogger(parseLogLevel(process.env));

if (parseFunctionName(process.env) !== undefined) nameSourcesInStackTraces();

/** Where measurements go. */
export const metrics = parseMetrics(process.env);
/** What this process has measured; undefined where that goes elsewhere, or nowhere. */
export const prometheus = metrics === 'prometheus' ? await loadPrometheus() : undefined;
recordTo(
  metrics === 'cloudwatch'
    ? openCloudWatch({
        service: process.env.METRICS_SERVICE || 'errand',
        // Not the console, before whose lines Lambda's runtime puts the time.
        write: (line) => process.stdout.write(line),
      })
    : prometheus,
);

/** On AWS there is nobody to ask, and the bundler leaves it out. */
async function loadPrometheus() {
  const { openPrometheus } = await import('./observability/prometheus.ts');
  return openPrometheus();
}

traceTo(await loadTracer(parseTracing(process.env)));

/** Only where there is a collector; the bundler leaves it out for a deployment without one. */
async function loadTracer(tracing: ReturnType<typeof parseTracing>) {
  if (!tracing) return undefined;
  const loaded: Partial<typeof import('./observability/open-telemetry.ts')> = await import(
    './observability/open-telemetry.ts'
  );
  if (loaded.openTelemetry) return loaded.openTelemetry({ ...tracing, logger });
  logger.warn('there are no traces: OTEL_EXPORTER_OTLP_ENDPOINT has to be set for the deployment');
  return undefined;
}
