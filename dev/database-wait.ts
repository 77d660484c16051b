import { setTimeout as sleep } from 'node:timers/promises';
import { askOnce } from './database-probe.ts';
import { placeOf, troubleOf } from './database-trouble.ts';
import { Refusal } from './refusal.ts';

/** A database that slept, or is far away, takes its time, and there is another try. */
const PATIENCE = { connectSeconds: 3, answerSeconds: 4 };
const PAUSE_MS = 200;

export interface DatabaseWait {
  /** Told why it takes so long, whenever that changes; not of what is over soon. */
  onWaiting(why: string): void;
  readonly quietMs?: number;
  readonly withinMs?: number;
}

/**
 * Resolves once a database takes connections: what somebody else starts may come later than we do.
 * @throws Refusal when it refuses us, or is not there in time
 */
export async function untilDatabaseAnswers(
  url: string,
  { onWaiting, quietMs = 1500, withinMs = 60_000 }: DatabaseWait,
): Promise<void> {
  const startedAt = performance.now();
  let told: string | undefined;
  for (;;) {
    try {
      await askOnce(url, PATIENCE, (sql) => sql`select 1`);
      return;
    } catch (error) {
      const { why, remedy, isFinal } = troubleOf(error);
      const waitedMs = performance.now() - startedAt;
      if (isFinal || waitedMs > withinMs) {
        throw new Refusal(
          `No database at ${placeOf(url)}: ${why}.`,
          `${remedy} DATABASE_URL names it; without that, npm start brings a database of its own.`,
        );
      }
      if (waitedMs > quietMs && told !== why) {
        told = why;
        onWaiting(`${placeOf(url)}: ${why}; trying for ${withinMs / 1000} s in all`);
      }
      await sleep(PAUSE_MS);
    }
  }
}
