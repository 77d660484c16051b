import type { Sql } from '../db/connection.ts';

// Counts of tasks that have ended, kept so that nobody has to count a million of them. A task is in
// the tally when it ended before `tallied_until`; whoever un-ends or deletes it takes it off again.

/** Longer than any statement: what ended before then is committed, and so is seen. */
const MARGIN_SECONDS = 30;
/** How often the tally is worth a write. */
const INTERVAL_SECONDS = 60;
/** So much time is added to it at once. */
const STEP_HOURS = 6;

/** Tells whether it is time to extend the tally. */
export async function isTallyDue(sql: Sql): Promise<boolean> {
  const [row] = await sql<[{ due: boolean }]>`/* isTallyDue */
    select tallied_until < now() - make_interval(secs => ${MARGIN_SECONDS + INTERVAL_SECONDS}) as due
      from errand.tally_state`;
  return row.due;
}

/** Adds tasks that ended since the last time, of some hours at most. */
export async function extendTally(sql: Sql): Promise<void> {
  await sql.begin(async (tx) => {
    // The lock first and the count after it: one statement would count what was before the lock.
    // Times stay text here, as a Date has no microseconds.
    const [{ from }] = await tx<[{ from: string }]>`
      select tallied_until::text as from from errand.tally_state for update`;
    const [{ until }] = await tx<[{ until: string }]>`
      select greatest(${from}::text::timestamptz,
                      least(min(finished_at) + make_interval(hours => ${STEP_HOURS}),
                            now() - make_interval(secs => ${MARGIN_SECONDS})))::text as until
        from errand.tasks where finished_at >= ${from}::text::timestamptz`;
    await tx`
      insert into errand.tallies as t (tenant, status, count)
      select tenant, status, count(*) from errand.tasks
       where finished_at >= ${from}::text::timestamptz and finished_at < ${until}::text::timestamptz
       group by tenant, status
      on conflict (tenant, status) do update set count = t.count + excluded.count`;
    await tx`update errand.tally_state set tallied_until = ${until}::text::timestamptz`;
  });
}

/**
 * A part of a statement that takes tasks off the tally: `with ..., untallied as (${untally(...)})`.
 * `tasks` selects `tenant, status, finished_at` from before the change. The lock makes it wait for
 * whoever extends the tally, and tells it then how far that came.
 */
export function untally(sql: Sql, tasks: ReturnType<Sql>) {
  // An insert, because a row that was made after this statement began cannot be updated by it.
  return sql`
    insert into errand.tallies as t (tenant, status, count)
    select tenant, status, -count(*)
      from (${tasks}) as changed, (select tallied_until from errand.tally_state for share) as state
     where finished_at < tallied_until
     group by tenant, status
    on conflict (tenant, status) do update set count = t.count + excluded.count`;
}
