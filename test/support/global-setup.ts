import type { TestProject } from 'vitest/node';
import { connect, type Sql } from '../../lib/db/connection.ts';
import { migrate, readMigrations } from '../../lib/db/migrate.ts';
import { type Server, startEmulator, startPostgres } from './servers.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A database to connect to for making and dropping others. */
    adminUrl: string;
    /** The migrated database that test files clone. */
    template: string;
    /** Of the SQS emulator. */
    sqsEndpoint: string;
  }
}

/** Clones are named like this, with the run and the test file in between. */
const PREFIX = 'errand_test';

/**
 * One Postgres and one SQS emulator for the whole run. `TEST_DATABASE_URL` names a server to use
 * instead of a new one, which is then left as it was found.
 */
export default async function setUp(project: TestProject): Promise<() => Promise<void>> {
  const existing = process.env.TEST_DATABASE_URL;
  const postgres = existing ? undefined : await startPostgres();
  const adminUrl = existing ?? postgres?.url ?? '';
  const template = `${PREFIX}_${process.pid}_template`;
  const admin = connect({ url: adminUrl, poolMax: 1, prepare: true });
  if (postgres) await forgetDurability(admin);
  await createTemplate(admin, adminUrl, template);
  const emulator = await startEmulator();

  project.provide('adminUrl', adminUrl);
  project.provide('template', template);
  project.provide('sqsEndpoint', emulator.url);

  return async () => {
    await emulator.close();
    await admin`drop database ${admin(template)}`;
    const kept = await keptClones(admin);
    await admin.end();
    await postgres?.close({ keepData: kept.length > 0 });
    if (kept.length > 0) console.log(farewell(kept, postgres));
  };
}

/** Nobody mourns this data: a server that never waits for the disk makes clones faster. */
async function forgetDurability(admin: Sql): Promise<void> {
  await admin`alter system set fsync = off`;
  await admin`alter system set full_page_writes = off`;
  await admin`alter system set synchronous_commit = off`;
  await admin`select pg_reload_conf()`;
}

async function createTemplate(admin: Sql, adminUrl: string, template: string): Promise<void> {
  await admin`create database ${admin(template)}`;
  const url = new URL(adminUrl);
  url.pathname = `/${template}`;
  const sql = connect({ url: url.href, poolMax: 1, prepare: true });
  try {
    await migrate(sql, await readMigrations());
  } finally {
    await sql.end();
  }
}

async function keptClones(admin: Sql): Promise<string[]> {
  const pattern = `${PREFIX}_${process.pid}_%`;
  const rows = await admin<{ name: string }[]>`
    select datname as name from pg_database where datname like ${pattern}`;
  return rows.map(({ name }) => name);
}

function farewell(kept: readonly string[], postgres: Server | undefined): string {
  const where = postgres ? `in ${postgres.directory}` : 'on the server of TEST_DATABASE_URL';
  return (
    `\nFailing tests left their databases ${where}:\n  ${kept.join('\n  ')}\n` +
    (postgres ? `Look: node test/support/serve-kept.ts ${postgres.directory}, then remove it.` : '')
  );
}
