import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, inject } from 'vitest';
import { connect, type Sql } from '../../lib/db/connection.ts';

/** A database of the test file's own. Filled in before the first test of the file. */
export interface TestDatabase {
  readonly name: string;
  readonly url: string;
  readonly sql: Sql;
  /** Another pool on the same database, closed with the file. */
  connect(options?: { url?: string; poolMax?: number }): Sql;
}

/** Gives the file a clone of the migrated template, or an empty database. */
export function useDatabase({ empty = false } = {}): TestDatabase {
  const pools: Sql[] = [];
  const database: TestDatabase & { name: string; url: string; sql: Sql } = {
    name: '',
    url: '',
    sql: undefined as unknown as Sql,
    connect({ url = database.url, poolMax = 4 } = {}) {
      const pool = connect({ url, poolMax, prepare: true });
      pools.push(pool);
      return pool;
    },
  };

  beforeAll(async () => {
    database.name = cloneName(expect.getState().testPath ?? 'unknown');
    database.url = urlOf(database.name);
    await asAdmin((admin) =>
      empty
        ? admin`create database ${admin(database.name)}`
        : admin`create database ${admin(database.name)} template ${admin(inject('template'))}`,
    );
    database.sql = database.connect();
  });

  let failed = false;
  afterEach(({ task }) => {
    failed ||= task.result?.state === 'fail';
  });

  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end({ timeout: 1 })));
    if (failed) {
      console.error(`A test failed: kept its database ${database.name}`);
      return;
    }
    await asAdmin((admin) => admin`drop database ${admin(database.name)} with (force)`);
  });

  return database;
}

/** The address of another database on the server of this run. */
export function urlOf(database: string): string {
  const url = new URL(inject('adminUrl'));
  url.pathname = `/${database}`;
  return url.href;
}

async function asAdmin(task: (admin: Sql) => Promise<unknown>): Promise<void> {
  const admin = connect({ url: inject('adminUrl'), poolMax: 1, prepare: true });
  try {
    await task(admin);
  } finally {
    await admin.end();
  }
}

/** Postgres cuts names at 63 bytes; the random part must survive that. */
function cloneName(file: string): string {
  const subject = basename(file, '.test.ts').replaceAll(/\W/g, '_').slice(0, 25);
  const run = inject('template').replace('_template', '');
  return `${run}_${subject}_${randomBytes(4).toString('hex')}`;
}
