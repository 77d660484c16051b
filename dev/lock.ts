import { truncateSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Refusal } from './refusal.ts';

export interface Lock {
  release(): void;
}

/** https://www.sqlite.org/rescode.html#notadb */
const NOT_A_DATABASE = 26;

/**
 * Takes the lock, or answers undefined when another process has it. The kernel gives it back when
 * its holder dies, however that happens, so a lock that was left behind does not exist. Node has
 * no file locks of its own; an exclusive SQLite transaction is one.
 * @throws Refusal when something lies there that cannot be locked
 */
export function tryLock(file: string): Lock | undefined {
  try {
    return lock(file);
  } catch (error) {
    if ((error as { errcode?: number }).errcode !== NOT_A_DATABASE) throw unusable(file, error);
    // Nobody holds it, or SQLite would not have read it. Emptied rather than removed: two who do
    // this at once still contend for the same file.
    truncateSync(file);
    return lock(file);
  }
}

function lock(file: string): Lock | undefined {
  const database = new DatabaseSync(file);
  try {
    // In memory, because a journal would be a second file.
    database.exec('pragma journal_mode = memory');
    database.exec('begin exclusive');
  } catch (error) {
    database.close();
    if (error instanceof Error && error.message.includes('database is locked')) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

function unusable(file: string, error: unknown): Refusal {
  return new Refusal(
    `${file} cannot be locked: ${error instanceof Error ? error.message : error}.`,
    `It holds no data. Make sure that no errand runs from this directory, and remove it:\n` +
      `  rm -rf '${file}'`,
  );
}
