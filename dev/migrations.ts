import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * Brings a database that takes connections to the newest migration. Answers the last line of the
 * script. @throws with the script's own message.
 */
export async function migrateDatabase(project: string, databaseUrl: string): Promise<string> {
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
