import { DatabaseSync } from 'node:sqlite';

export interface Lock {
  release(): void;
}

/**
 * Takes the lock, or answers undefined when another process has it. The kernel gives it back when
 * its holder dies, however that happens, so a lock that was left behind does not exist. Node has
 * no file locks of its own; an exclusive SQLite transaction is one.
 */
export function tryLock(file: string): Lock | undefined {
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
