import { type Config, parseAllowedHosts, parseConfig, parseLogLevel } from './config/config.ts';
import { connect, type Sql } from './db/connection.ts';
import { requireSchema } from './db/schema-version.ts';
import { type CheckHealth, makeCheckHealth } from './health/check-health.ts';
import { makeLogger } from './observability/logger.ts';
import { once } from './once.ts';
import { openRabbitQueue } from './queue/rabbitmq.ts';
import { type Consumer, type ConsumerOptions, consumeRabbit } from './queue/rabbitmq-consumer.ts';
import { openSqsQueue } from './queue/sqs.ts';
import type { DeadLetter, TaskQueue } from './queue/task-queue.ts';
import { openSandbox } from './sandbox/open-sandbox.ts';
import { shutdownSignal } from './shutdown.ts';
import { type CancelTask, makeCancelTask } from './tasks/cancel-task.ts';
import { type CreateTask, makeCreateTask } from './tasks/create-task.ts';
import { type DeleteEndedTasks, makeDeleteEndedTasks } from './tasks/delete-ended-tasks.ts';
import { type ExecuteTask, makeExecuteTask } from './tasks/execute-task.ts';
import { makeRelayOutbox, type RelayOutbox } from './tasks/relay-outbox.ts';
import { makeRescueTasks, type RescueTasks } from './tasks/rescue-tasks.ts';
import { makeRetryTask, type RetryTask } from './tasks/retry-task.ts';
import type { Task, TaskId, TaskSummary, Tenant } from './tasks/task.ts';
import { findTask, listTasks, type Page } from './tasks/task-store.ts';

// Config in, adapters and use cases out: once for each cold start, and only what is asked for.

export const logger = makeLogger(parseLogLevel(process.env));

/** What every HTTP function has, also one that needs nothing else. */
export const edge = { logger, allowedHosts: parseAllowedHosts(process.env) };

const config = once(() => parseConfig(process.env));

const connections = once(async (): Promise<{ sql: Sql; queue: TaskQueue }> => {
  const { database, queue } = await config();
  return {
    sql: connect({ ...database, url: database.url.reveal() }),
    queue: openQueue(queue),
  };
});

function openQueue(queue: Config['queue']): TaskQueue {
  if (queue.kind === 'sqs') return openSqsQueue(queue);
  return openRabbitQueue({ ...queue, url: queue.url.reveal() });
}

/** The same, once the database has shown to have the right schema. @throws SchemaMismatch */
const migratedConnections = once(async () => {
  const { sql, queue } = await connections();
  await requireSchema(sql);
  return { sql, queue };
});

/** What the HTTP functions use. */
export interface Api {
  readonly createTask: CreateTask;
  readonly findTask: (tenant: Tenant, id: TaskId) => Promise<Task | undefined>;
  readonly listTasks: (tenant: Tenant, page: Page) => Promise<TaskSummary[]>;
  readonly cancelTask: CancelTask;
  readonly retryTask: RetryTask;
  readonly deadLetters: (limit: number) => Promise<DeadLetter[]>;
  readonly redrive: (id: string | undefined) => Promise<number>;
}

export const api = {
  ...edge,
  open: once(async (): Promise<Api> => {
    const { sql, queue } = await migratedConnections();
    return {
      createTask: makeCreateTask({ sql, queue, logger }),
      findTask: (tenant, id) => findTask(sql, tenant, id),
      listTasks: (tenant, page) => listTasks(sql, tenant, page),
      cancelTask: makeCancelTask({ sql }),
      retryTask: makeRetryTask({ sql, queue, logger }),
      deadLetters: (limit) => queue.deadLetters(limit),
      redrive: (id) => queue.redrive(id),
    };
  }),
};

/** What tells whether the other functions can work; so it opens when they cannot. */
export const health = {
  ...edge,
  open: once(async (): Promise<{ checkHealth: CheckHealth }> => {
    const { sql, queue } = await connections();
    return { checkHealth: makeCheckHealth({ sql, queue }) };
  }),
};

export interface Worker {
  readonly executeTask: ExecuteTask;
  /** Fires when running commands are to be given up, because this process ends. */
  readonly shutdown: AbortSignal;
}

/** What the worker uses. Opening it probes the sandbox. @throws SandboxError */
export const openWorker = once(async (): Promise<Worker> => {
  const { worker, database } = await config();
  const { sql, queue } = await migratedConnections();
  const sandbox = await openSandbox(worker.sandbox, (refusal) =>
    logger.warn(refusal, 'a stronger sandbox does not hold here'),
  );
  logger.info({ tier: sandbox.tier }, 'the sandbox holds');
  const { leaseSeconds, shutdownGraceMs } = worker;
  const leaseSql = openLeasePool(database, sql);
  return {
    executeTask: makeExecuteTask({ sql, leaseSql, queue, sandbox, leaseSeconds, logger }),
    shutdown: shutdownSignal(shutdownGraceMs),
  };
});

/**
 * Where one process serves many (`npm start`, a container), a burst of requests must not hold up
 * the leases. On Lambda an environment does one thing at a time, and connections are scarce.
 */
function openLeasePool(database: Config['database'], sql: Sql): Sql {
  if (database.poolMax === 1) return sql;
  return connect({ ...database, url: database.url.reveal(), poolMax: 2 });
}

/** What the scheduled functions use. */
export interface Upkeep {
  readonly relayOutbox: RelayOutbox;
  readonly rescueTasks: RescueTasks;
  readonly deleteEndedTasks: DeleteEndedTasks;
}

export const openUpkeep = once(async (): Promise<Upkeep> => {
  const { retentionDays } = await config();
  const { sql, queue } = await migratedConnections();
  return {
    relayOutbox: makeRelayOutbox({ sql, queue }),
    rescueTasks: makeRescueTasks({ sql, queue, logger }),
    deleteEndedTasks: makeDeleteEndedTasks({ sql, retentionDays }),
  };
});

export type Deliver = ConsumerOptions['deliver'];

/** For a process that takes its messages itself. @throws where the queue calls a function (SQS) */
export const openConsumer = once(async (): Promise<(deliver: Deliver) => Consumer> => {
  const { queue, worker } = await config();
  if (queue.kind !== 'rabbitmq') {
    throw new Error(
      'A worker process is for QUEUE=rabbitmq; SQS invokes the function execute-task.',
    );
  }
  const settings = { ...queue, url: queue.url.reveal() };
  const { concurrency } = worker;
  return (deliver) => consumeRabbit({ settings, concurrency, deliver, logger });
});
