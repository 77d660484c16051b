import { describe, expect, it } from 'vitest';
import type { Migration } from '../../lib/db/migrate.ts';
import { migrateForDeployment } from '../../lib/db/migration-step.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase({ empty: true });

function migration(number: number, needsCode = 0): Migration {
  const name = `000${number}_step`;
  return { number, name, needsCode, statements: `create table step_${number} ()` };
}

describe('migrateForDeployment', () => {
  it('migrates a new database', async () => {
    expect(await migrateForDeployment(database.sql, [migration(1)], undefined)).toEqual([
      '0001_step',
    ]);
  });

  it('adds to a database that the release before still uses', async () => {
    const migrations = [migration(1), migration(2)];
    expect(await migrateForDeployment(database.sql, migrations, 1)).toEqual(['0002_step']);
  });

  it('refuses what would break the running release, before it runs any', async () => {
    const migrations = [migration(1), migration(2), migration(3), migration(4, 3)];
    await expect(migrateForDeployment(database.sql, migrations, 2)).rejects.toThrow(
      '0004_step needs code that knows migration 3, and the running release knows 2.',
    );
    const [{ newest }] = await database.sql<[{ newest: number }]>`
      select max(number) as newest from errand.migrations`;
    expect(newest).toBe(2);
  });

  it('leaves a newer database alone when its release is rolled back', async () => {
    expect(await migrateForDeployment(database.sql, [migration(1)], 2)).toEqual([]);
  });
});
