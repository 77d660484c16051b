import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from '../db/connection.ts';
import { requireSchema } from '../db/schema-version.ts';
import type { TaskQueue } from '../queue/task-queue.ts';

/** A part that says nothing for so long counts as down. */
const PATIENCE_MS = 2000;

export interface Health {
  readonly database: 'up' | 'down';
  readonly queue: 'up' | 'down';
}

export type CheckHealth = () => Promise<Health>;

/** Asks the database (for our tables, in the right version) and the queue whether they answer. */
export function makeCheckHealth({ sql, queue }: { sql: Sql; queue: TaskQueue }): CheckHealth {
  return async () => {
    const [database, queueState] = await Promise.all([
      answers(
        Promise.all([requireSchema(sql), sql`/* checkHealth */ select from errand.tasks limit 1`]),
      ),
      answers(queue.depth()),
    ]);
    return { database, queue: queueState };
  };
}

async function answers(question: PromiseLike<unknown>): Promise<'up' | 'down'> {
  const patience = new AbortController();
  const silence = delay(PATIENCE_MS, 'down' as const, { signal: patience.signal });
  const answer = question.then(
    () => 'up' as const,
    () => 'down' as const,
  );
  const state = await Promise.race([answer, silence]);
  patience.abort();
  silence.catch(() => {});
  return state;
}
