import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseEnv } from 'node:util';
import { openLocalState } from '../../dev/local-state.ts';
import { readRunning } from '../../dev/running-record.ts';
import { misused } from '../failure.ts';

/** The database to work on. @throws Failure when nothing says which */
export function findDatabaseUrl(
  env: Readonly<Record<string, string | undefined>>,
  project: URL,
): string {
  const url = env.DATABASE_URL || databaseOfRunningStart(fileURLToPath(project));
  if (url === undefined) {
    throw misused(
      'DATABASE_URL is not set, and no `npm start` is up in this project.',
      'Start errand first, or name a database: DATABASE_URL=postgres://user:password@host:5432/errand',
    );
  }
  if (URL.canParse(url) && /^postgres(ql)?:$/.test(new URL(url).protocol)) return url;
  // The value may hold a password, so it is not repeated.
  throw misused(
    'DATABASE_URL is not a postgres:// URL.',
    'For example: DATABASE_URL=postgres://user:password@host:5432/errand',
  );
}

function databaseOfRunningStart(project: string): string | undefined {
  // Opening makes the directory, and looking should not.
  if (!existsSync(`${project}/.errand`)) return undefined;
  const state = openLocalState(project);
  if (readRunning(state) === undefined || !existsSync(state.path('env'))) return undefined;
  return parseEnv(readFileSync(state.path('env'), 'utf8')).DATABASE_URL;
}
