import type { Sql } from '../db/connection.ts';

/** What is still to be done, of all tenants. */
export interface Backlog {
  readonly queued: number;
  readonly running: number;
  /** For how long the oldest task has waited that could run; 0 when there is none. */
  readonly oldestWaitSeconds: number;
  /** Messages that the relay may take, counted to `MOST_OWED`. */
  readonly owed: number;
  /** For how long it could have taken the oldest of them. */
  readonly relayLagSeconds: number;
}

const MOST_OWED = 100_000;

/** Reads indexes alone, and of them what has not ended: a million ended tasks cost nothing. */
export async function readBacklog(sql: Sql): Promise<Backlog> {
  const [row] = await sql<[Backlog]>`/* readBacklog */
    select queued.count as queued,
           coalesce(extract(epoch from now() - queued.oldest), 0)::float8 as "oldestWaitSeconds",
           (select count(*) from errand.tasks where status = 'running') as running,
           owed.count as owed,
           coalesce(extract(epoch from now() - owed.oldest), 0)::float8 as "relayLagSeconds"
      from (select count(*), min(run_at) filter (where run_at <= now()) as oldest
              from errand.tasks where status = 'queued') as queued,
           (select count(*), min(relay_at) as oldest
              from (select relay_at from errand.outbox
                     where relay_at <= now()
                     order by relay_at
                     limit ${MOST_OWED}) as due) as owed`;
  return row;
}
