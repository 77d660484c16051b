import type { SQSHandler } from 'aws-lambda';
import { invocation } from '../lib/observability/invocation.ts';
import { deliverBatch } from '../lib/queue/sqs-batch.ts';
import type { DeliveredMessage } from '../lib/queue/task-queue.ts';
import { inDelivery } from '../lib/queue/traced-queue.ts';
import { logger, openWorker } from '../lib/services.ts';
import { giveUpSignal } from '../lib/shutdown.ts';
import { tellExecution } from '../lib/worker/tell-execution.ts';

/** Kept of the function's time for settling a command that runs until the last moment. */
const SETTLE_MARGIN_MS = 10_000;

/**
 * SQS event source mapping: runs the task of each message. An empty batch only opens the worker,
 * which tells a host whether it can run commands at all.
 * @throws SandboxError when commands cannot be isolated here
 */
export const handler: SQSHandler = async (event, context) => {
  const { executeTask, shutdown, queueName } = await openWorker();
  const remainingMs = context.getRemainingTimeInMillis() - SETTLE_MARGIN_MS;
  using giveUp = giveUpSignal(shutdown, Math.max(0, remainingMs));
  const deliver = (message: DeliveredMessage) =>
    inDelivery(queueName, message, async () => {
      tellExecution(await executeTask(message.taskId, giveUp.signal), logger);
    });
  return await invocation(() => deliverBatch(event, deliver, logger));
};
