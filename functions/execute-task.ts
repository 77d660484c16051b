import type { SQSHandler } from 'aws-lambda';
import { inLogContext } from '../lib/observability/log-context.ts';
import { count, flushMetrics } from '../lib/observability/metrics.ts';
import { deliverBatch } from '../lib/queue/sqs-batch.ts';
import { logger, openWorker } from '../lib/services.ts';
import { giveUpSignal } from '../lib/shutdown.ts';

/** Kept of the function's time for settling a command that runs until the last moment. */
const SETTLE_MARGIN_MS = 10_000;

/**
 * SQS event source mapping: runs the task of each message. An empty batch only opens the worker,
 * which tells a host whether it can run commands at all.
 * @throws SandboxError when commands cannot be isolated here
 */
export const handler: SQSHandler = async (event, context) => {
  const { executeTask, shutdown } = await openWorker();
  const remainingMs = context.getRemainingTimeInMillis() - SETTLE_MARGIN_MS;
  using giveUp = giveUpSignal(shutdown, Math.max(0, remainingMs));
  try {
    return await deliverBatch(
      event,
      ({ taskId }) =>
        inLogContext({ taskId }, async () => {
          const execution = await executeTask(taskId, giveUp.signal);
          count('errand_messages_delivered_total', { result: execution });
          logger.info({ execution }, 'execute-task');
        }),
      logger,
    );
  } finally {
    flushMetrics();
  }
};
