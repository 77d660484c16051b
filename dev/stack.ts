import { brokerAt } from '../lib/queue/rabbitmq-trouble.ts';
import { openSandbox } from '../lib/sandbox/open-sandbox.ts';
import { tellAccess } from './access.ts';
import { choosePorts } from './chosen-ports.ts';
import { placeOf } from './database-trouble.ts';
import { untilDatabaseAnswers } from './database-wait.ts';
import { emulatorAnswers, emulatorEndpoint, emulatorPart } from './emulator.ts';
import { functionsPart } from './functions.ts';
import type { Serving } from './ipc.ts';
import type { LocalState } from './local-state.ts';
import { migrateDatabase } from './migrations.ts';
import { databaseUrl, postgresPart, rotateLog } from './postgres.ts';
import { findPostgresAccount } from './postgres-account.ts';
import { findPostgresPrograms, prepareCluster } from './postgres-cluster.ts';
import type { Progress } from './progress.ts';
import { untilRabbitAnswers } from './rabbitmq-wait.ts';
import type { RunningRecorder } from './running-record.ts';
import type { Settings } from './settings.ts';
import {
  type Part,
  type PartEvent,
  type RestartPolicy,
  type Supervised,
  supervise,
} from './supervisor.ts';
import { workerPart } from './worker.ts';

export interface StackOptions {
  readonly project: string;
  readonly settings: Settings;
  readonly state: LocalState;
  readonly recorder: RunningRecorder;
  readonly progress: Progress;
  /** For a caller that crashes the parts itself. */
  readonly restartPolicy?: RestartPolicy;
}

export interface Stack {
  /** Resolves when requests are served; rejects when that will not happen. */
  readonly ready: Promise<void>;
  /** Resolves with the name of a part that keeps crashing: the stack is of no use without it. */
  readonly gaveUp: Promise<string>;
  /** Stops the parts in the order in which they need each other. */
  stop(): Promise<void>;
  /** Kills what still runs. */
  kill(): void;
}

/** First what makes work, last what it needs. */
const STOP_ORDER = ['functions', 'worker', 'queue', 'postgres'];

/** Brings up Postgres, the queue and the functions, and keeps them running. */
export function startStack(options: StackOptions): Stack {
  const { recorder, progress } = options;
  const parts = new Map<string, Supervised>();
  const gaveUp = Promise.withResolvers<string>();
  let stopping = false;

  async function run(part: Part): Promise<void> {
    if (stopping) throw new Error(`${part.name} is not started any more`);
    const report = (event: PartEvent) => {
      if (event.kind === 'launched') recorder.add(part.name, event.pid, part.stopSignal);
      if (event.kind === 'gave up') gaveUp.resolve(part.name);
      progress.part(part.name, event);
    };
    const supervised = supervise(part, report, options.restartPolicy);
    parts.set(part.name, supervised);
    await supervised.ready;
  }

  return {
    ready: bringUp(options, run),
    gaveUp: gaveUp.promise,
    async stop() {
      stopping = true;
      for (const name of STOP_ORDER) await parts.get(name)?.stop();
    },
    kill() {
      stopping = true;
      for (const part of parts.values()) part.kill();
    },
  };
}

type Run = (part: Part) => Promise<void>;

/** Everything at once: what needs another part waits for that part alone. */
async function bringUp(options: StackOptions, run: Run): Promise<void> {
  const { project, settings, state, progress } = options;
  tellAccess(progress, settings);
  const ports = await choosePorts(state, settings.port);
  const password = state.secret('postgres-password');
  const environment = {
    ...credentials(settings),
    DATABASE_URL: settings.databaseUrl ?? databaseUrl({ port: ports.postgres, password }),
    ...(settings.rabbitmqUrl === undefined
      ? { SQS_ENDPOINT: settings.sqsEndpoint ?? emulatorEndpoint(ports.queue) }
      : {
          QUEUE: 'rabbitmq',
          RABBITMQ_URL: settings.rabbitmqUrl,
          RABBITMQ_QUEUE: settings.rabbitmqQueue,
        }),
    AWS_REGION: settings.region,
    AUTH: settings.auth,
    ALLOWED_HOSTS: settings.allowedHosts,
    LOG_FORMAT: settings.logFormat,
  };

  const database = (async () => {
    if (settings.databaseUrl === undefined)
      await runPostgres(options, run, ports.postgres, password);
    else await waitForDatabase(settings.databaseUrl, progress);
    await progress.step('migrations', 'ready', () =>
      migrateDatabase(project, environment.DATABASE_URL),
    );
  })();
  const queue = bringUpQueue(options, run, ports.queue);
  const sandbox = checkSandbox(progress, settings);
  const dependencies = Promise.all([database, queue, sandbox]);

  // For scripts that use the running stack: `node --env-file=.errand/env scripts/...`.
  const onServing = (serving: Serving) =>
    state.write('env', environmentFile({ ...environment, ...serving.environment }));
  const { host, port, allowedHosts } = settings;
  const functions = run(
    functionsPart({
      ...{ project, state, host, port, allowedHosts },
      ...{ environment, dependencies, onServing },
    }),
  );
  // A worker that cannot isolate commands would end at once, and again.
  const worker = queue.then(async () =>
    settings.runWorker && (await sandbox)
      ? run(workerPart({ project, state, environment }))
      : undefined,
  );
  await Promise.all([dependencies, functions, worker]);
}

/** Of the user's own. Who starts it with us, or mistyped its name, is to see what we wait for. */
async function waitForDatabase(url: string, progress: Progress): Promise<void> {
  await progress.step('postgres', 'ready', async () => {
    await untilDatabaseAnswers(url, { onWaiting: (why) => progress.waiting('postgres', why) });
    return `${placeOf(url)}, of yours`;
  });
}

async function runPostgres(
  { project, state, progress }: StackOptions,
  run: Run,
  port: number,
  password: string,
): Promise<void> {
  const programs = await findPostgresPrograms();
  const account = await findPostgresAccount(programs.postgres, project);
  const dataDirectory = await prepareCluster({ state, programs, account, password, progress });
  await rotateLog(state);
  await run(postgresPart({ state, programs, account, dataDirectory, port, password }));
}

async function bringUpQueue(options: StackOptions, run: Run, port: number): Promise<void> {
  const { settings, state, progress } = options;
  const { rabbitmqUrl, sqsEndpoint } = settings;
  if (rabbitmqUrl !== undefined) {
    const broker = { url: rabbitmqUrl, queue: settings.rabbitmqQueue };
    return progress.step('queue', 'ready', async () => {
      await untilRabbitAnswers(broker, { onWaiting: (why) => progress.waiting('queue', why) });
      return `RabbitMQ at ${brokerAt(rabbitmqUrl)}`;
    });
  }
  if (process.env.RABBITMQ_URL)
    progress.note('RABBITMQ_URL is not used: that takes QUEUE=rabbitmq');
  if (sqsEndpoint === undefined) return run(emulatorPart(state, port, progress.note));
  await progress.step('queue', 'ready', () => emulatorAnswers(sqsEndpoint));
}

/** The worker opens its own; this tells early, and in one line, what will become of commands. */
async function checkSandbox(progress: Progress, { sandbox: choice }: Settings): Promise<boolean> {
  if (choice === 'runner') {
    progress.done('sandbox', 'the function run-command, as on AWS but in this process');
    return true;
  }
  try {
    const sandbox = await openSandbox(choice);
    await sandbox.close();
    progress.done('sandbox', choice === 'unsafe-none' ? 'NONE: nothing is isolated' : sandbox.tier);
    return true;
  } catch (error) {
    progress.missing('sandbox', `${error instanceof Error ? error.message : error} Tasks wait.`);
    return false;
  }
}

/**
 * For an emulator anything goes, and real credentials have no business in a process that runs
 * commands. An emulator that the user brought may check them, so theirs are left alone then.
 */
function credentials({ sqsEndpoint }: Settings): Record<string, string | undefined> {
  const dummies = { AWS_ACCESS_KEY_ID: 'local', AWS_SECRET_ACCESS_KEY: 'local' };
  if (sqsEndpoint !== undefined) return process.env.AWS_ACCESS_KEY_ID ? {} : dummies;
  return { ...dummies, AWS_SESSION_TOKEN: undefined, AWS_PROFILE: undefined };
}

function environmentFile(environment: Readonly<Record<string, string | undefined>>): string {
  return Object.entries(environment)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([name, value]) => `${name}=${JSON.stringify(value)}\n`)
    .join('');
}
