import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile, rename, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { askOnce } from './database-probe.ts';
import type { LocalState } from './local-state.ts';
import { type PostgresAccount, spawnAs } from './postgres-account.ts';
import { DATABASE_USER, type PostgresPrograms } from './postgres-cluster.ts';
import type { Part } from './supervisor.ts';

const DATABASE = 'errand';
const LOG = 'postgres.log';
const LOG_KEPT_BYTES = 10 * 1024 * 1024;
/** SQLSTATE 28P01. */
const WRONG_PASSWORD = '28P01';

/**
 * Durable as in production (fsync and synchronous commit are on). What is off is for replicas.
 * TCP on loopback is the only way in: a unix socket would lie in a directory of all users.
 */
const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '128MB',
  wal_level: 'minimal',
  max_wal_senders: '0',
  jit: 'off',
  log_checkpoints: 'off',
  log_line_prefix: '%m [%p] ',
  timezone: 'UTC',
  log_timezone: 'UTC',
};

export interface PostgresOptions {
  readonly state: LocalState;
  readonly programs: PostgresPrograms;
  readonly account: PostgresAccount;
  readonly dataDirectory: string;
  readonly port: number;
  readonly password: string;
}

export function databaseUrl(
  { port, password }: Pick<PostgresOptions, 'port' | 'password'>,
  database = DATABASE,
): string {
  return `postgres://${DATABASE_USER}:${password}@127.0.0.1:${port}/${database}`;
}

/** The server of the local stack. It keeps its port when it is restarted, so clients heal. */
export function postgresPart(options: PostgresOptions): Part {
  const log = options.state.path(LOG);
  return {
    name: 'postgres',
    stopSignal: 'SIGINT', // "fast": sessions are ended, committed work is kept.
    stopGraceMs: 1200,
    launch: () => launch(options, log),
    ready: async (_child, signal) => {
      await answers(options, signal);
      return `127.0.0.1:${options.port}, data in .errand/postgres`;
    },
    lastWords: async () => (await readFile(log, 'utf8')).trimEnd().split('\n').slice(-10),
  };
}

/** The log grows over many starts: the last 10 MB are moved aside and replaced. */
export async function rotateLog(state: LocalState): Promise<void> {
  const log = state.path(LOG);
  const size = await stat(log).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size > LOG_KEPT_BYTES) await rename(log, `${log}.1`);
}

function launch(
  { programs, account, dataDirectory, port }: PostgresOptions,
  log: string,
): ChildProcess {
  const settings = Object.entries({ ...SETTINGS, port: String(port) });
  const logFile = openSync(log, 'a', 0o600);
  try {
    return spawnAs(
      account,
      [
        programs.postgres,
        '-D',
        dataDirectory,
        ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
      ],
      {
        cwd: '/',
        detached: true,
        stdio: ['ignore', logFile, logFile],
        // None of the PG* variables of the user, which would change what the server does.
        env: { PATH: process.env.PATH, LC_ALL: 'C' },
      },
    );
  } finally {
    closeSync(logFile);
  }
}

/** Resolves once the server takes connections, with the database made. */
async function answers(options: PostgresOptions, signal: AbortSignal): Promise<void> {
  for (;;) {
    try {
      await askOnce(databaseUrl(options, 'postgres'), { connectSeconds: 2 }, async (sql) => {
        const [existing] = await sql`select from pg_database where datname = ${DATABASE}`;
        if (existing === undefined) await sql`create database ${sql(DATABASE)}`;
      });
      return;
    } catch (error) {
      if ((error as { code?: string }).code === WRONG_PASSWORD) {
        throw new Error(
          'the password in .errand/postgres-password is not that of its data; ' +
            'remove that file, and the next start sets a new one',
        );
      }
      signal.throwIfAborted();
      await sleep(25);
    }
  }
}
