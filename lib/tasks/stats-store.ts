import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import type { TaskStatus } from './task.ts';

/** What the recent figures are of. */
export const WINDOW_SECONDS = 15 * 60;
/** Percentiles are of the newest ones: more of them would say the same, at a cost. */
const MAX_SAMPLES = 10_000;
/** The oldest task that could run is looked for among so many of the oldest that wait. */
const MAX_OLDEST = 1000;

export type CountByStatus = Readonly<Record<TaskStatus, number>>;

/** Of a duration, in milliseconds; null when there is none. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

/** Tasks of a tenant by status: those that have ended from the tally, and what came since. */
export async function countByStatus(sql: Sql, tenant: Tenant): Promise<CountByStatus> {
  const tally = await readTally(sql, tenant);
  // The time is a parameter, and not read here, so that Postgres knows how little comes after it.
  const since = await sql<StatusCount[]>`/* countByStatus */
    select status, count(*) from errand.tasks
     where tenant = ${tenant} and finished_at >= ${tally.until}::text::timestamptz
     group by status
     union all
    select status, count(*) from errand.tasks
     where tenant = ${tenant} and status in ('queued', 'running')
     group by status`;
  const counts: Record<TaskStatus, number> = { ...NO_TASKS };
  for (const { status, count } of [...tally.counts, ...since]) counts[status] += count;
  return counts;
}

interface StatusCount {
  readonly status: TaskStatus;
  readonly count: number;
}

const NO_TASKS = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };

async function readTally(sql: Sql, tenant: Tenant) {
  // One statement, so that the counts are those of that time.
  const [tally] = await sql<[{ until: string; counts: StatusCount[] }]>`/* readTally */
    select tallied_until::text as until,
           coalesce((select jsonb_agg(jsonb_build_object('status', status, 'count', count))
                       from errand.tallies where tenant = ${tenant}), '[]') as counts
      from errand.tally_state`;
  return tally;
}

export interface RecentFigures {
  readonly created: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly cancelled: number;
}

/** How many tasks of a tenant came and ended within the window. */
export async function countRecent(sql: Sql, tenant: Tenant): Promise<RecentFigures> {
  const since = sql`now() - make_interval(secs => ${WINDOW_SECONDS})`;
  const [row] = await sql<[RecentFigures]>`/* countRecent */
    select (select count(*) from errand.tasks
             where tenant = ${tenant} and created_at > ${since}) as created,
           count(*) filter (where status = 'succeeded') as succeeded,
           count(*) filter (where status = 'failed') as failed,
           count(*) filter (where status = 'cancelled') as cancelled
      from errand.tasks
     where tenant = ${tenant} and finished_at > ${since}`;
  return row;
}

/** How long the tasks waited that ended within the window, and how long they ran. */
export async function recentDurations(
  sql: Sql,
  tenant: Tenant,
): Promise<{ waitMs: Percentiles; runMs: Percentiles }> {
  const [row] = await sql<
    [{ wait: (number | null)[] | null; run: (number | null)[] | null }]
  >`/* recentDurations */
    with ended as (
      select extract(epoch from started_at - greatest(created_at, least(run_at, started_at))) * 1000
               as wait,
             extract(epoch from finished_at - started_at) * 1000 as run
        from errand.tasks
       where tenant = ${tenant} and started_at is not null
         and finished_at > now() - make_interval(secs => ${WINDOW_SECONDS})
       order by finished_at desc
       limit ${MAX_SAMPLES}
    )
    select to_jsonb(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by wait)) as wait,
           to_jsonb(percentile_cont(array[0.5, 0.95, 0.99]) within group (order by run)) as run
      from ended`;
  return { waitMs: percentilesOf(row.wait), runMs: percentilesOf(row.run) };
}

function percentilesOf(values: (number | null)[] | null): Percentiles {
  const [p50 = null, p95 = null, p99 = null] = values ?? [];
  return { p50: rounded(p50), p95: rounded(p95), p99: rounded(p99) };
}

const rounded = (ms: number | null) => (ms === null ? null : Math.round(ms));

/** For how long the oldest task has waited that could run; null when there is none. */
export async function oldestWaitSeconds(sql: Sql, tenant: Tenant): Promise<number | null> {
  const [row] = await sql<[{ seconds: number | null }]>`/* oldestWaitSeconds */
    select extract(epoch from now() - min(run_at))::float8 as seconds
      from (select run_at from errand.tasks
             where tenant = ${tenant} and status = 'queued'
             order by created_at, id
             limit ${MAX_OLDEST}) as oldest
     where run_at <= now()`;
  return row.seconds;
}
