import { askOnce } from './database-probe.ts';
import { placeOf, troubleOf } from './database-trouble.ts';
import { type ServerWait, untilServerAnswers } from './server-wait.ts';

/** A database that slept, or is far away, takes its time, and there is another try. */
const PATIENCE = { connectSeconds: 3, answerSeconds: 4 };

/** @throws Refusal when it refuses us, or is not there in time */
export function untilDatabaseAnswers(url: string, wait: ServerWait): Promise<void> {
  const database = {
    kind: 'database',
    place: placeOf(url),
    setting: 'DATABASE_URL names it; without that, npm start brings a database of its own.',
    ask: () => askOnce(url, PATIENCE, (sql) => sql`select 1`),
    troubleOf,
  };
  return untilServerAnswers(database, wait);
}
