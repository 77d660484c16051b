/** `npm run migrate`: brings the database at DATABASE_URL to the newest migration. */
import { connect } from '../lib/db/connection.ts';
import { migrate, readMigrations } from '../lib/db/migrate.ts';

const url = process.env.DATABASE_URL;
if (!url) {
  console.error('DATABASE_URL is not set. Example: postgres://user:password@host:5432/errand');
  process.exit(2);
}

const sql = connect({ url, poolMax: 1, prepare: true });
try {
  const done = await migrate(sql, await readMigrations());
  console.log(done.length > 0 ? `migrated: ${done.join(', ')}` : 'already at the newest migration');
} catch (error) {
  console.error(`migrate: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await sql.end();
}
