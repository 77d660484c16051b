import type { SpanExporter } from '@opentelemetry/sdk-trace';
import { inOneLine } from './in-one-line.ts';
import type { Logger } from './logger.ts';
import { outsideSpans } from './tracing.ts';

/** Tells of a collector that takes no spans once, however long that is, and once that it does. */
export function reportingExporter(exporter: SpanExporter, logger: Logger): SpanExporter {
  let failing = false;
  return {
    export(spans, done) {
      // A batch holds spans of many, and is sent whenever it is full or old enough.
      outsideSpans(() =>
        exporter.export(spans, (result) => {
          const failed = result.error !== undefined;
          if (failed && !failing) {
            logger.warn(
              inOneLine(result.error),
              'traces are lost: the collector does not take them',
            );
          }
          if (!failed && failing) logger.info('the collector takes traces again');
          failing = failed;
          done(result);
        }),
      );
    },
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
    shutdown: () => exporter.shutdown(),
  };
}
