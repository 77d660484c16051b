import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { askOnce } from './database-probe.ts';

const run = promisify(execFile);
const DATABASE_WITHIN_MS = 60_000;

/**
 * Brings the database to the newest migration, as soon as it takes connections. Answers the last
 * line of the script. @throws with the script's own message.
 */
export async function migrateDatabase(project: string, databaseUrl: string): Promise<string> {
  await takesConnections(databaseUrl);
  try {
    const { stdout } = await run(process.execPath, ['scripts/migrate.ts'], {
      cwd: project,
      env: { ...process.env, DATABASE_URL: databaseUrl },
    });
    return stdout.trim().split('\n').at(-1) ?? '';
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    throw new Error(stderr?.trim() || message, { cause: error });
  }
}

/** A database that somebody else starts may come later than we do. */
async function takesConnections(url: string): Promise<void> {
  const deadline = Date.now() + DATABASE_WITHIN_MS;
  for (;;) {
    try {
      await askOnce(url, 5, (sql) => sql`select 1`);
      return;
    } catch (error) {
      if (Date.now() > deadline || isFinal(error)) throw error;
      await sleep(200);
    }
  }
}

/** Wrong password, no such role, no such database: waiting does not help. */
function isFinal(error: unknown): boolean {
  return /^(28|3D)/.test(String((error as { code?: string }).code));
}
