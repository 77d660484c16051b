import type { Logger } from '../observability/logger.ts';
import { observe, set } from '../observability/metrics.ts';
import { beginPart, type SpanOptions } from '../observability/tracing.ts';
import type { ObserveStatement } from './observed-query.ts';

/** A statement that takes so long is told in the log. */
const SLOW_MS = 1000;

export interface StatementWatch {
  readonly observe: ObserveStatement;
  /** Records how busy the connections are right now. */
  measure(): void;
}

/** Measures and traces the statements of a pool, which has at most `poolMax` connections. */
export function watchStatements(deps: {
  readonly poolMax: number;
  readonly logger: Logger;
}): StatementWatch {
  const { poolMax, logger } = deps;
  let running = 0;
  return {
    observe(statement) {
      const begunAt = performance.now();
      running += 1;
      const endSpan = beginPart(spanOf(statement));
      return (error) => {
        running -= 1;
        endSpan(error);
        const ms = performance.now() - begunAt;
        const result = error === undefined ? 'ok' : 'failed';
        observe('errand_statement_duration_seconds', { statement, result }, ms / 1000);
        if (ms > SLOW_MS)
          logger.warn({ statement, ms: Math.round(ms), result }, 'a slow statement');
      };
    },
    // A connection has one statement at a time.
    measure() {
      set('errand_database_connections', { state: 'max' }, poolMax);
      set('errand_database_connections', { state: 'in_use' }, Math.min(running, poolMax));
      set('errand_database_waiting_statements', {}, Math.max(0, running - poolMax));
    },
  };
}

/** By https://opentelemetry.io/docs/specs/semconv/database/postgresql/. Never the text: its name. */
function spanOf(statement: string): SpanOptions {
  return {
    name: statement,
    kind: 'client',
    attributes: { 'db.system.name': 'postgresql', 'db.query.summary': statement },
  };
}
