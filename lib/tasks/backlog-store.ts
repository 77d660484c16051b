import type { Sql } from '../db/connection.ts';
import { RELAY_SECONDS } from './outbox.ts';

/** What is still to be done, of all tenants. */
export interface Backlog {
  readonly queued: number;
  readonly running: number;
  /** For how long the oldest task has waited that could run; 0 when there is none. */
  readonly oldestWaitSeconds: number;
  /** Messages that the relay may take, counted to `MOST_OWED`. */
  readonly owed: number;
  /** For how long the oldest has been owed that is due; 0 when none is. */
  readonly relayLagSeconds: number;
}

const MOST_OWED = 100_000;

/**
 * Reads indexes alone, and of them what has not ended: a million ended tasks cost nothing. The lag is
 * by when a message was due, because each attempt to publish it puts off its turn.
 */
export async function readBacklog(sql: Sql): Promise<Backlog> {
  const [row] = await sql<[Backlog]>`/* readBacklog */
    select queued.count as queued,
           coalesce(extract(epoch from now() - queued.oldest), 0)::float8 as "oldestWaitSeconds",
           (select count(*) from errand.tasks where status = 'running') as running,
           owed.count as owed,
           coalesce(extract(epoch from now() - owed.oldest), 0)::float8 as "relayLagSeconds"
      from (select count(*), min(run_at) filter (where run_at <= now()) as oldest
              from errand.tasks where status = 'queued') as queued,
           (select count(*) filter (where relay_at <= now()),
                   min(due_at) filter (where due_at <= now()) as oldest
              from (select relay_at, due_at from errand.outbox
                     where relay_at <= now() + make_interval(secs => ${RELAY_SECONDS})
                     order by relay_at
                     limit ${MOST_OWED}) as soon) as owed`;
  return row;
}
