/**
 * `npm run worker`: takes messages from RabbitMQ and runs their tasks, and does what functions do on
 * schedules elsewhere. Needs RABBITMQ_URL and DATABASE_URL; waits for both servers,
 * and for the migrations. SIGTERM: takes nothing more, lets running commands go on for
 * SHUTDOWN_GRACE_SECONDS, gives back what has not ended by then, and exits with 0. With WORKER_PORT it
 * answers `GET /health/live`, `GET /health/ready` and `GET /metrics` there.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { handler as deleteEndedTasks } from '../functions/delete-ended-tasks.ts';
import { handler as relayOutbox } from '../functions/relay-outbox.ts';
import { handler as rescueTasks } from '../functions/rescue-tasks.ts';
import { handler as tallyTasks } from '../functions/tally-tasks.ts';
import { isDatabaseUnavailable } from '../lib/db/unavailable.ts';
import { inOneLine } from '../lib/observability/in-one-line.ts';
import { flushSpans } from '../lib/observability/tracing.ts';
import type { Consumer } from '../lib/queue/rabbitmq-consumer.ts';
import { inDelivery } from '../lib/queue/traced-queue.ts';
import {
  health,
  logger,
  observation,
  openConsumer,
  openWorker,
  type Worker,
} from '../lib/services.ts';
import { makeExecutePatiently } from '../lib/worker/execute-patiently.ts';
import { startHealthServer } from '../lib/worker/health-server.ts';
import { startUpkeep } from '../lib/worker/upkeep.ts';

const RETRY_MS = 500;
const CHORES = [
  { name: 'relay-outbox', everyMs: 1000, run: relayOutbox },
  { name: 'rescue-tasks', everyMs: 1000, run: rescueTasks },
  { name: 'tally-tasks', everyMs: 60_000, run: tallyTasks },
  { name: 'delete-ended-tasks', everyMs: 3_600_000, run: deleteEndedTasks },
];

// The one queue that has workers.
process.env.QUEUE ||= 'rabbitmq';

const stopping = new AbortController();
process.once('SIGTERM', () => stopping.abort());
// Ctrl-C, and a second one ends the process at once.
process.once('SIGINT', () => process.kill(process.pid, 'SIGTERM'));

try {
  await work(stopping.signal);
  process.exit(0);
} catch (error) {
  logger.error(inOneLine(error), 'the worker cannot start');
  process.exit(1);
}

/** Resolves when it was stopped, and nothing runs any more. */
async function work(stop: AbortSignal): Promise<void> {
  // Before the settings are read: those of SQS would be asked for.
  if (process.env.QUEUE === 'sqs') {
    throw new Error(
      'A worker process is for QUEUE=rabbitmq; with SQS, npm start or Lambda runs the tasks.',
    );
  }
  const { consume, healthAddress } = await openConsumer();
  let consumer: Consumer | undefined;
  const { checkHealth } = await health.open();
  const check = async () => ({
    ...(await checkHealth()),
    messages: consumer?.connected ? ('up' as const) : ('down' as const),
  });
  const { readMetrics } = await observation.open();
  const healthServer =
    healthAddress && (await startHealthServer({ ...healthAddress, check, readMetrics }));

  const worker = await openPatiently(stop);
  if (worker === undefined) return;

  const executePatiently = makeExecutePatiently({ ...worker, logger });
  consumer = consume((message) =>
    inDelivery(worker.queueName, message, () => executePatiently(message.taskId)),
  );
  void consumer.ready.then(() => process.send?.({ kind: 'taking messages' }));
  const upkeep = startUpkeep(CHORES, logger);

  if (!stop.aborted) await new Promise((resolve) => stop.addEventListener('abort', resolve));
  await consumer.stop();
  await upkeep.stop();
  healthServer?.close();
  await flushSpans();
}

/** Undefined when it was stopped before. @throws SandboxError, and what else waiting does not heal */
async function openPatiently(stop: AbortSignal): Promise<Worker | undefined> {
  for (let told: string | undefined; !stop.aborted; ) {
    try {
      return await openWorker();
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      const words = inOneLine(error);
      if (words.cause !== told) logger.info(words, 'waits for the database');
      told = words.cause;
      await delay(RETRY_MS, undefined, { signal: stop }).catch(() => {});
    }
  }
  return undefined;
}
