import { EVERYBODY } from './access/caller.ts';
import { type ListAudit, makeListAudit } from './access/list-audit.ts';
import {
  type Config,
  parseAccessLevel,
  parseAllowedHosts,
  parseCorsOrigins,
} from './config/config.ts';
import { config, connections, migratedConnections, openPool, queueNameOf } from './connections.ts';
import type { Sql } from './db/connection.ts';
import { type CheckHealth, makeCheckHealth } from './health/check-health.ts';
import type { Authenticate } from './http/api-handler.ts';
import { makeAuthenticate } from './http/authenticate.ts';
import { logger, metrics, prometheus } from './instruments.ts';
import type { MetricsText } from './observability/prometheus.ts';
import { once } from './once.ts';
import type { CheckCommand } from './policy/check-command.ts';
import type { Consumer, ConsumerOptions } from './queue/rabbitmq-consumer.ts';
import type { QueueName } from './queue/traced-queue.ts';
import { openCancellations } from './sandbox/cancellations.ts';
import { openSandbox } from './sandbox/open-sandbox.ts';
import { makeRunnerSandbox } from './sandbox/runner.ts';
import { openRunnerEndpoint } from './sandbox/runner-endpoint.ts';
import type { Sandbox } from './sandbox/sandbox.ts';
import { shutdownSignal } from './shutdown.ts';
import { type CancelTask, makeCancelTask } from './tasks/cancel-task.ts';
import {
  type CreateTask,
  type CreateTasks,
  makeCreateTask,
  makeCreateTasks,
} from './tasks/create-tasks.ts';
import { type ListDeadLetters, makeListDeadLetters } from './tasks/dead-letters.ts';
import { type DeleteEndedTasks, makeDeleteEndedTasks } from './tasks/delete-ended-tasks.ts';
import { type ExecuteTask, makeExecuteTask } from './tasks/execute-task.ts';
import { type FindTask, makeFindTask } from './tasks/find-task.ts';
import { type ListTasks, makeListTasks } from './tasks/list-tasks.ts';
import { makeReadBacklog, makeReadGauges, type ReadGauges } from './tasks/read-gauges.ts';
import { makeReadOutput, type ReadOutput } from './tasks/read-output.ts';
import { makeReadStats, type ReadStats } from './tasks/read-stats.ts';
import { makeRedrive, type Redrive } from './tasks/redrive.ts';
import { makeRelayOutbox, type RelayOutbox } from './tasks/relay-outbox.ts';
import { makeRescueTasks, type RescueTasks } from './tasks/rescue-tasks.ts';
import { makeRetryTask, type RetryTask } from './tasks/retry-task.ts';
import { makeTallyTasks, type TallyTasks } from './tasks/tally-tasks.ts';
import { makeTaskWatcher } from './tasks/task-watcher.ts';

// Config in, adapters and use cases out: once for each cold start, and only what is asked for. The
// marks, and no spread in an object, let the bundler leave out of a Lambda what it does not use.

export { logger };

const accessLevel = parseAccessLevel(process.env);
const allowedHosts = parseAllowedHosts(process.env);
const corsOrigins = parseCorsOrigins(process.env);

/** What every HTTP function has, also one that needs nothing else. */
export const edge = { logger, accessLevel, allowedHosts, corsOrigins };

/** The database whatever its schema, to migrate it. */
export const openDatabase = /* @__PURE__ */ once(async () => (await connections()).sql);

/** The database, to manage its keys. @throws SchemaMismatch */
export const openKeys = /* @__PURE__ */ once(async () => (await migratedConnections()).sql);

/** What the HTTP functions use. */
export interface Api {
  readonly authenticate: Authenticate;
  readonly createTask: CreateTask;
  readonly createTasks: CreateTasks;
  readonly findTask: FindTask;
  readonly readOutput: ReadOutput;
  readonly listTasks: ListTasks;
  readonly readStats: ReadStats;
  readonly cancelTask: CancelTask;
  readonly retryTask: RetryTask;
  readonly listDeadLetters: ListDeadLetters;
  readonly redrive: Redrive;
  readonly listAudit: ListAudit;
}

export const api = {
  logger,
  accessLevel,
  allowedHosts,
  corsOrigins,
  open: /* @__PURE__ */ once(async (): Promise<Api> => {
    const { auth, commandPolicy } = await config();
    const checkCommand = await openCommandPolicy(commandPolicy);
    const { sql, queue } = await migratedConnections();
    const watcher = makeTaskWatcher({ sql, shutdown: shutdownSignal(0) });
    const createTasks = makeCreateTasks({ sql, queue, logger, checkCommand });
    return {
      authenticate: makeAuthenticator(auth, sql),
      createTask: makeCreateTask(createTasks),
      createTasks,
      findTask: makeFindTask({ sql, watcher }),
      readOutput: makeReadOutput({ sql, watcher }),
      listTasks: makeListTasks({ sql }),
      readStats: makeReadStats({ sql, queue }),
      cancelTask: makeCancelTask({ sql }),
      retryTask: makeRetryTask({ sql, queue, logger }),
      listDeadLetters: makeListDeadLetters({ sql, queue }),
      redrive: makeRedrive({ sql, queue }),
      listAudit: makeListAudit({ sql }),
    };
  }),
};

function makeAuthenticator(auth: Config['auth'], sql: Sql): Authenticate {
  return auth === 'none' ? async () => EVERYBODY : makeAuthenticate({ sql });
}

/** Few have one: it is loaded for them alone. Undefined: any command is allowed. */
async function openCommandPolicy(policy: string | undefined): Promise<CheckCommand | undefined> {
  if (policy === undefined) return undefined;
  const { openPolicy } = await import('./policy/open-policy.ts');
  return openPolicy(policy);
}

/** What tells whether the other functions can work; so it opens when they cannot. */
export const health = {
  logger,
  accessLevel,
  allowedHosts,
  corsOrigins,
  open: /* @__PURE__ */ once(async (): Promise<{ checkHealth: CheckHealth }> => {
    const { sql, queue } = await connections();
    return { checkHealth: makeCheckHealth({ sql, queue }) };
  }),
};

/** What tells how this process and the whole system fare. */
export interface Observation {
  readonly authenticate: Authenticate;
  /** OpenMetrics text; undefined where measurements go elsewhere, or nowhere. */
  readonly readMetrics: (() => Promise<MetricsText>) | undefined;
}

export const observation = {
  logger,
  accessLevel,
  allowedHosts,
  corsOrigins,
  open: /* @__PURE__ */ once(async (): Promise<Observation> => {
    const { auth } = await config();
    const { sql, queue, statements } = await connections();
    const readGauges = makeReadGauges({ sql, queue, logger });
    const recorded = prometheus;
    return {
      authenticate: makeAuthenticator(auth, sql),
      readMetrics:
        recorded &&
        (async () => {
          await readGauges();
          statements.measure();
          return recorded.render();
        }),
    };
  }),
};

export interface Worker {
  readonly executeTask: ExecuteTask;
  /** Fires when running commands are to be given up, because this process ends. */
  readonly shutdown: AbortSignal;
  /** Where its messages come from. */
  readonly queueName: QueueName;
}

/** What the worker uses. Opening it probes the sandbox. @throws SandboxError */
export const openWorker = /* @__PURE__ */ once(async (): Promise<Worker> => {
  const { worker, database, queue: queueSettings } = await config();
  const { sql, queue } = await migratedConnections();
  const sandbox = await openWorkerSandbox(worker);
  logger.info({ tier: sandbox.tier }, 'the sandbox holds');
  const { leaseSeconds, tenantMaxRunning, shutdownGraceMs } = worker;
  const leaseSql = openLeasePool(database, sql);
  return {
    executeTask: makeExecuteTask({
      sql,
      leaseSql,
      queue,
      sandbox,
      leaseSeconds,
      tenantMaxRunning,
      logger,
    }),
    shutdown: shutdownSignal(shutdownGraceMs),
    queueName: queueNameOf(queueSettings),
  };
});

/** Isolates here, or in the runner function, which looks itself whether it can be looked into. */
async function openWorkerSandbox({ sandbox, runner }: Config['worker']): Promise<Sandbox> {
  if (sandbox !== 'runner') {
    return openSandbox(sandbox, (refusal) =>
      logger.warn(refusal, 'a stronger sandbox does not hold here'),
    );
  }
  return makeRunnerSandbox({
    endpoint: openRunnerEndpoint(runner),
    cancellations: openCancellations(runner.cancellations, process.env),
    onSuspicion: (suspicious) => logger.warn({ suspicious }, 'a runner gave up its environment'),
  });
}

/**
 * Where one process serves many (`npm start`, a container), a burst of requests must not hold up
 * the leases. On Lambda an environment does one thing at a time, and connections are scarce.
 */
function openLeasePool(database: Config['database'], sql: Sql): Sql {
  if (database.poolMax === 1) return sql;
  return openPool({ ...database, poolMax: 2 });
}

/** What the scheduled functions use. */
export interface Upkeep {
  /** Undefined where the backlog is measured when somebody asks for metrics. */
  readonly readBacklog: ReadGauges | undefined;
  readonly relayOutbox: RelayOutbox;
  readonly rescueTasks: RescueTasks;
  readonly deleteEndedTasks: DeleteEndedTasks;
  readonly tallyTasks: TallyTasks;
}

export const openUpkeep = /* @__PURE__ */ once(async (): Promise<Upkeep> => {
  const { retentionDays, worker } = await config();
  const { tenantMaxRunning } = worker;
  const { sql, queue } = await migratedConnections();
  return {
    readBacklog: metrics === 'cloudwatch' ? makeReadBacklog({ sql }) : undefined,
    relayOutbox: makeRelayOutbox({ sql, queue }),
    rescueTasks: makeRescueTasks({ sql, queue, logger, tenantMaxRunning }),
    deleteEndedTasks: makeDeleteEndedTasks({ sql, retentionDays }),
    tallyTasks: makeTallyTasks({ sql }),
  };
});

/** What a process has that takes its messages itself. */
export interface ConsumerServices {
  readonly consume: (deliver: ConsumerOptions['deliver']) => Consumer;
  /** Where it tells whether it works; undefined: nowhere. */
  readonly healthAddress: { readonly host: string; readonly port: number } | undefined;
}

/** @throws where the queue calls a function (SQS) */
export const openConsumer = /* @__PURE__ */ once(async (): Promise<ConsumerServices> => {
  const { queue, worker } = await config();
  if (queue.kind !== 'rabbitmq') throw new Error('Only RabbitMQ has consumers.');
  const { consumeRabbit } = await import('./queue/rabbitmq-consumer.ts');
  const settings = { ...queue, url: queue.url.reveal() };
  const { concurrency, host, port } = worker;
  return {
    consume: (deliver) => consumeRabbit({ settings, concurrency, deliver, logger }),
    healthAddress: port === undefined ? undefined : { host, port },
  };
});
