import { audit } from '../access/audit-log.ts';
import type { Actor } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import type { TaskQueue } from '../queue/task-queue.ts';
import { lettersOf } from './dead-letters.ts';
import { DeadLetterNotFound } from './errors.ts';

/** Sends the tenant's dead letters back, all or one by its id; answers how many there were. */
export type Redrive = (actor: Actor, id: string | undefined) => Promise<number>;

/**
 * The queue and the database cannot change together, so the entry in the audit log comes first:
 * better one too many than one too few. @throws QueueUnavailable, DeadLetterNotFound
 */
export function makeRedrive({ sql, queue }: { sql: Sql; queue: TaskQueue }): Redrive {
  return async (actor, id) => {
    await sql`/* auditRedrive */ ${audit(sql, actor, 'dead_letters.redrive', sql`select ${id ?? 'all'}`)}`;
    const redriven = await queue.redrive(lettersOf(sql, actor.tenant), id);
    if (id !== undefined && redriven === 0) throw new DeadLetterNotFound(id);
    return redriven;
  };
}
