import type { Logger } from '../observability/logger.ts';
import { count } from '../observability/metrics.ts';
import { describeSpan } from '../observability/tracing.ts';
import type { Execution } from '../tasks/execute-task.ts';

/** What became of a message: in the log, the metrics and the trace. */
export function tellExecution(execution: Execution, logger: Logger): void {
  count('errand_messages_delivered_total', { result: execution });
  describeSpan({ 'errand.execution': execution });
  logger.info({ execution }, 'execute-task');
}
