import { type ChildProcess, execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { emulatorEndpoint, emulatorPart } from '../../dev/emulator.ts';
import { type LocalState, openLocalState } from '../../dev/local-state.ts';
import { freePort } from '../../dev/ports.ts';
import { databaseUrl, postgresPart } from '../../dev/postgres.ts';
import { findPostgresAccount } from '../../dev/postgres-account.ts';
import { findPostgresPrograms, prepareCluster } from '../../dev/postgres-cluster.ts';
import { openProgress, type Progress } from '../../dev/progress.ts';
import {
  freeRabbitPorts,
  type RabbitServerOptions,
  rabbitControl,
  rabbitServerPart,
  rabbitUrl,
  startNameServer,
} from '../../dev/rabbitmq-server.ts';
import type { Part } from '../../dev/supervisor.ts';
import type { Terminal } from '../../dev/terminal.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const START_DEADLINE_MS = 60_000;

const silent: Progress = openProgress({
  line() {},
  part() {},
  block() {},
} as unknown as Terminal);

/** A server of the local stack, started for tests with its data in a temporary directory. */
export interface Server {
  /** Of the database that a new server has, or the endpoint of the emulator. */
  readonly url: string;
  readonly directory: string;
  /** Ends it as a crash would: no goodbye to anybody. The data stays. */
  crash(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** Stops it and removes its data, unless somebody is to look at it. */
  close(options?: { keepData: boolean }): Promise<void>;
}

export interface RabbitServer extends Server {
  /** What an operator does with `rabbitmqctl`; its output. */
  control(...args: string[]): Promise<string>;
}

/** A Postgres server of the version and with the settings that `npm start` uses. */
export async function startPostgres(): Promise<Server> {
  return servePostgres(await temporaryDirectory());
}

/** Serves the data of an earlier `startPostgres`, or new data. */
export async function servePostgres(directory: string): Promise<Server> {
  const state = openLocalState(directory);
  const programs = await findPostgresPrograms();
  const account = await findPostgresAccount(programs.postgres, PROJECT);
  const password = state.secret('postgres-password');
  const cluster = { state, programs, account, password, progress: silent };
  const dataDirectory = await prepareCluster(cluster);
  const options = { ...cluster, dataDirectory, port: await freePort(undefined) };
  return start(directory, postgresPart(options), databaseUrl(options));
}

/** The SQS emulator of `npm start`. */
export async function startEmulator(): Promise<Server> {
  const directory = await temporaryDirectory();
  const state: LocalState = openLocalState(directory);
  const port = await freePort(undefined);
  return start(directory, emulatorPart(state, port), emulatorEndpoint(port));
}

/** A RabbitMQ broker. */
export async function startRabbit(
  options: Pick<RabbitServerOptions, 'settings' | 'flags'> = {},
): Promise<RabbitServer> {
  const directory = await temporaryDirectory();
  const ports = await freeRabbitPorts();
  const names = await startNameServer(ports);
  const part = rabbitServerPart({ directory, ports, ...options });
  const server = await start(directory, part, rabbitUrl(ports.amqp));
  return {
    ...server,
    async control(...args) {
      const { file, env } = rabbitControl({ directory, ports });
      return (await promisify(execFile)(file, ['--silent', ...args], { env })).stdout;
    },
    async close(options) {
      await server.crash(); // It takes its time to stop, for data that nobody wants.
      await server.close(options);
      await end(names, 'SIGKILL');
    },
  };
}

async function start(directory: string, part: Part, url: string): Promise<Server> {
  let child = await launch(part);
  return {
    url,
    directory,
    crash: () => end(child, 'SIGKILL'),
    async restart() {
      child = await launch(part);
    },
    async close({ keepData } = { keepData: false }) {
      await end(child, part.stopSignal);
      if (!keepData) await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Postgres refuses to start until the last session of a server that crashed has noticed it. */
async function launch(part: Part): Promise<ChildProcess> {
  const deadline = AbortSignal.timeout(START_DEADLINE_MS);
  for (;;) {
    const child = part.launch();
    // A broker whose log nobody reads stops at its 64 KiB, and then takes no connection any more.
    child.stdout?.resume();
    child.stderr?.resume();
    const gone = new AbortController();
    child.once('exit', () => gone.abort(new Error(`${part.name} ended while it started`)));
    try {
      await part.ready(child, AbortSignal.any([deadline, gone.signal]));
      return child;
    } catch (error) {
      const diedByItself = gone.signal.aborted;
      await end(child, 'SIGKILL');
      if (!diedByItself || deadline.aborted) throw error;
    }
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await exited;
}

/** Open to pass through: as root, Postgres may run as another user. */
async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'errand-test-'));
  await chmod(directory, 0o711);
  return directory;
}
