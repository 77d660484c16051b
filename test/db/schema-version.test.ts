import { beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import { migrate, readMigrations } from '../../lib/db/migrate.ts';
import { requireSchema, SCHEMA_VERSION, SchemaMismatch } from '../../lib/db/schema-version.ts';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase({ empty: true });
let sql: Sql;
beforeAll(() => {
  sql = database.sql;
});

const aMigration = (number: number, needsCode = 0) => ({
  number,
  name: `000${number}_something`,
  statements: 'select 1',
  needsCode,
});

const complaint = () => requireSchema(sql, 2).catch((error: unknown) => error);

describe('requireSchema', () => {
  it('names the newest migration there is', async () => {
    expect((await readMigrations()).length).toBe(SCHEMA_VERSION);
  });

  it('says "later" where nothing has been migrated yet', async () => {
    expect(isDatabaseUnavailable(await complaint())).toBe(true);
  });

  it('refuses a database that is older than the code, and says how to migrate it', async () => {
    await migrate(sql, [aMigration(1)]);
    const error = await complaint();
    expect(error).toBeInstanceOf(SchemaMismatch);
    expect(String(error)).toContain('is at migration 1, but this release needs 2');
    expect(String(error)).toContain('npm run migrate');
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('takes a database of its own version', async () => {
    await migrate(sql, [aMigration(1), aMigration(2)]);
    expect(await complaint()).toBeUndefined();
  });

  it('takes a newer database that only had things added', async () => {
    await migrate(sql, [aMigration(1), aMigration(2), aMigration(3)]);
    expect(await complaint()).toBeUndefined();
  });

  it('refuses a newer database that needs newer code', async () => {
    await migrate(sql, [aMigration(1), aMigration(2), aMigration(3), aMigration(4, 3)]);
    expect(String(await complaint())).toContain(
      'serves code that knows migration 3; this release knows 2 only',
    );
  });
});
