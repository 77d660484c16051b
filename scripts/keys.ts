/** `npm run keys -- create|list|revoke|rotate`: the API keys of a database. */
import { connect } from '../lib/db/connection.ts';
import { requireSchema } from '../lib/db/schema-version.ts';
import { isDatabaseUnavailable } from '../lib/db/unavailable.ts';
import { Failure } from './failure.ts';
import { findDatabaseUrl } from './keys/database-url.ts';
import { readCommand } from './keys/read-command.ts';
import { runCommand } from './keys/run-command.ts';
import { USAGE } from './keys/usage.ts';

const args = process.argv.slice(2);
if (args.length === 0 || args.includes('--help') || args.includes('-h')) {
  console.log(USAGE);
  process.exit(args.length === 0 ? 2 : 0);
}

try {
  const { command, json } = readCommand(args);
  const url = findDatabaseUrl(process.env, new URL('../', import.meta.url));
  const sql = connect({ url, poolMax: 1, prepare: true });
  try {
    await requireSchema(sql);
    const { document, text } = await runCommand(sql, command);
    console.log(json ? JSON.stringify(document, null, 2) : text);
  } finally {
    await sql.end({ timeout: 1 });
  }
} catch (error) {
  report(error);
}

function report(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`keys: ${message}`);
  if (error instanceof Failure) {
    console.error(error.remedy);
    process.exitCode = error.exitCode;
    return;
  }
  if (isDatabaseUnavailable(error)) {
    console.error('Is DATABASE_URL right, the database up, and migrated (npm run migrate)?');
  }
  process.exitCode = 1;
}
