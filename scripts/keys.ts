/** `npm run keys -- create|list|revoke|rotate`: the API keys of a database, or of a deployed stage. */
import { manageKeys } from '../lib/access/manage-keys.ts';
import { connect } from '../lib/db/connection.ts';
import { requireSchema } from '../lib/db/schema-version.ts';
import { isDatabaseUnavailable } from '../lib/db/unavailable.ts';
import { manageDeployedKeys } from './deploy/deployed-keys.ts';
import { Failure } from './failure.ts';
import { findDatabaseUrl } from './keys/database-url.ts';
import { readCommand } from './keys/read-command.ts';
import { type ManageKeys, runCommand } from './keys/run-command.ts';
import { USAGE } from './keys/usage.ts';

const args = process.argv.slice(2);
if (args.length === 0 || args.includes('--help') || args.includes('-h')) {
  console.log(USAGE);
  process.exit(args.length === 0 ? 2 : 0);
}

try {
  const { command, json, deployed } = readCommand(args, process.env);
  const manage: ManageKeys = deployed
    ? (...request) => manageDeployedKeys(deployed, process.env, ...request)
    : manageHere;
  const { document, text } = await runCommand(manage, command);
  console.log(json ? JSON.stringify(document, null, 2) : text);
} catch (error) {
  report(error);
}

async function manageHere(...request: Parameters<ManageKeys>): ReturnType<ManageKeys> {
  const url = findDatabaseUrl(process.env, new URL('../', import.meta.url));
  const sql = connect({ url, poolMax: 1, prepare: true });
  try {
    await requireSchema(sql);
    return await manageKeys(sql, ...request);
  } finally {
    await sql.end({ timeout: 1 });
  }
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
