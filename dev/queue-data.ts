import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Moves the emulator's data aside when it cannot be read, and answers why; undefined when it is
 * sound or not there yet. No task is lost with it: Postgres has them all, and the rescue sends the
 * messages of those that wait again.
 */
export function setDamagedQueueAside(directory: string): string | undefined {
  const damage = findDamage(join(directory, 'fauxqs.db'));
  if (damage === undefined) return undefined;
  rmSync(`${directory}.damaged`, { recursive: true, force: true });
  renameSync(directory, `${directory}.damaged`);
  return damage;
}

function findDamage(file: string): string | undefined {
  if (!existsSync(file)) return undefined;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    const { quick_check: result } = database.prepare('pragma quick_check(1)').get() ?? {};
    return result === 'ok' ? undefined : String(result);
  } catch (error) {
    const { errcode, message } = error as { errcode?: number; message: string };
    // Only what SQLite itself calls damaged; a disk that is full or a file in use passes.
    return DAMAGED.includes((errcode ?? 0) & 0xff) ? message : undefined;
  } finally {
    database?.close();
  }
}

/** SQLITE_CORRUPT and SQLITE_NOTADB: https://www.sqlite.org/rescode.html */
const DAMAGED = [11, 26];
