import type { Sql } from './connection.ts';
import { DatabaseTooNew, type Migration, migrate } from './migrate.ts';
import { requireSchema } from './schema-version.ts';

/**
 * Migrates on behalf of a deployment, while the release before still serves: `running` is the
 * migration that it knows. Resolves with the names of those that ran.
 *
 * A release that is rolled back finds a database that is newer than itself, and leaves it so: what
 * migrations add does not disturb it.
 * @throws Error when a migration would break the running release, before any of them ran
 */
export async function migrateForDeployment(
  sql: Sql,
  migrations: readonly Migration[],
  running: number | undefined,
): Promise<string[]> {
  if (running !== undefined) refuseBreaking(migrations, running);
  try {
    return await migrate(sql, migrations);
  } catch (error) {
    if (!(error instanceof DatabaseTooNew)) throw error;
    await requireSchema(sql, migrations.length);
    return [];
  }
}

function refuseBreaking(migrations: readonly Migration[], running: number): void {
  const breaking = migrations.find(
    ({ number, needsCode = 0 }) => number > running && needsCode > running,
  );
  if (breaking === undefined) return;
  throw new Error(
    `${breaking.name} needs code that knows migration ${breaking.needsCode}, and the running ` +
      `release knows ${running}. Deploy the release in between first.`,
  );
}
