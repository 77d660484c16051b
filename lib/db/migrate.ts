import { readdir, readFile } from 'node:fs/promises';
import type { Sql } from './connection.ts';

/** How long a migration waits for a lock on a table that is in use. */
const DDL_LOCK_TIMEOUT = '10s';

const FOLDER = new URL('./migrations/', import.meta.url);

export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly statements: string;
  /**
   * Code that does not know this migration yet is refused from then on. 0 as a rule: migrations add
   * first and remove a release later. The line `-- Needs code: 7` in the file says otherwise.
   */
  readonly needsCode?: number;
}

/** Reads the numbered SQL files beside this module, in order. @throws Error on a gap or a bad name */
export async function readMigrations(folder: URL = FOLDER): Promise<Migration[]> {
  const files = (await readdir(folder)).filter((file) => file.endsWith('.sql')).sort();
  return Promise.all(
    files.map(async (file, index) => {
      const number = Number(/^(\d{4})_[a-z0-9_]+\.sql$/.exec(file)?.[1]);
      if (number !== index + 1) {
        throw new Error(`${file}: migrations are named 0001_what_it_does.sql, without a gap`);
      }
      const statements = await readFile(new URL(file, folder), 'utf8');
      const needsCode = Number(/^-- Needs code: (\d+)$/m.exec(statements)?.[1] ?? 0);
      return { number, name: file.replace('.sql', ''), statements, needsCode };
    }),
  );
}

/**
 * Brings the database to the newest migration and returns the names of those that it ran.
 * Each one is a transaction that inserts its number first, so a second runner waits for the first
 * one there and then skips it: any number of runners may start at once.
 * @throws DatabaseTooNew when the database has migrations that this code does not know
 */
export async function migrate(sql: Sql, migrations: readonly Migration[]): Promise<string[]> {
  await createLedger(sql);
  await refuseNewerDatabase(sql, migrations.length);
  const done: string[] = [];
  for (const migration of migrations) {
    if (await apply(sql, migration)) done.push(migration.name);
  }
  return done;
}

async function createLedger(sql: Sql): Promise<void> {
  // "if not exists" still fails when two runners create the schema in the same instant
  // (23505 in pg_namespace), hence the lock: its number is arbitrary, but must never change.
  await sql.begin(async (tx) => {
    await tx`select pg_advisory_xact_lock(3500, 1)`;
    const [ledger] = await tx<[{ exists: boolean; complete: boolean }]>`
      select to_regclass('errand.migrations') is not null as exists,
             exists (select from pg_attribute
                      where attrelid = to_regclass('errand.migrations')
                        and attname = 'needs_code') as complete`;
    if (!ledger.exists) {
      await tx`create schema if not exists errand`;
      await tx`
        create table errand.migrations (
          number integer primary key,
          name text not null,
          applied_at timestamptz not null default now()
        )`;
    }
    // Not "if not exists": that waits for a lock of another runner even when there is nothing to do.
    if (!ledger.complete) {
      await tx`alter table errand.migrations add needs_code integer not null default 0`;
    }
  });
}

async function refuseNewerDatabase(sql: Sql, known: number): Promise<void> {
  const [newest] = await sql<{ number: number; name: string }[]>`/* refuseNewerDatabase */
    select number, name from errand.migrations order by number desc limit 1`;
  if (newest && newest.number > known) throw new DatabaseTooNew(newest.name, known);
}

async function apply(sql: Sql, migration: Migration): Promise<boolean> {
  return sql.begin(async (tx) => {
    // Another runner may be at this migration for as long as it takes.
    await tx`set local statement_timeout = 0`;
    await tx`set local lock_timeout = 0`;
    const claimed = await tx`
      insert into errand.migrations (number, name, needs_code)
      values (${migration.number}, ${migration.name}, ${migration.needsCode ?? 0})
      on conflict do nothing
      returning number`;
    if (claimed.length === 0) return false;
    // A table that somebody holds is not waited for without end: others would queue up behind us.
    await tx`set local lock_timeout = ${tx.unsafe(`'${DDL_LOCK_TIMEOUT}'`)}`;
    await tx.unsafe(migration.statements);
    return true;
  });
}

/** The database was migrated by a newer release of errand than this one. */
export class DatabaseTooNew extends Error {
  override readonly name = 'DatabaseTooNew';

  constructor(newest: string, known: number) {
    super(
      `The database is at migration ${newest}, but this release knows ${known} migrations only. ` +
        'Run the release that migrated it, or a newer one.',
    );
  }
}
