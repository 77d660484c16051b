import type { Sql } from '../db/connection.ts';
import { type OwedMessage, relayAt } from './outbox.ts';
import type { TaskId } from './task.ts';
import { NUDGE_SECONDS } from './task-store.ts';

// The running tasks of a tenant are capped by slots: a task holds one while it runs, and the unique
// index `tasks_one_per_slot` gives each of them out once. A task that finds none is parked.

type Fragment = ReturnType<Sql>;

/** The index that two claims of one slot at the same moment run into. */
const ONE_PER_SLOT = 'tasks_one_per_slot';

/** Tells whether somebody took the slot between our look and our claim. */
export function isSlotTaken(error: unknown): boolean {
  return (
    error instanceof Error && 'constraint_name' in error && error.constraint_name === ONE_PER_SLOT
  );
}

/**
 * A free slot of the tenant that `tenant` selects; no row when there is none. Any of the free ones,
 * so that those who look at the same moment seldom want the same.
 */
export function aFreeSlot(sql: Sql, tenant: Fragment, cap: number): Fragment {
  return sql`
    select slot from generate_series(1, ${cap}) as slot
     where not exists (select from errand.tasks holder
                        where holder.tenant = (${tenant}) and holder.slot = slot.slot)
     order by random()
     limit 1`;
}

/**
 * Parks a task that is due while its tenant has no free slot; false when it is not so. Nothing is
 * owed to the queue for it until a slot is free, so its nudge never comes.
 */
export async function parkTask(sql: Sql, taskId: TaskId, cap: number): Promise<boolean> {
  const parked = await sql`/* parkTask */
    update errand.tasks t set parked_at = now(), nudge_at = 'infinity'
     where id = ${taskId} and status = 'queued' and run_at <= now() and parked_at is null
       and not exists (${aFreeSlot(sql, sql`select t.tenant`, cap)})
    returning id`;
  return parked.length === 1;
}

/**
 * Locks a tenant's parked tasks that are first in line. The line is in the order in which they came
 * due, so that a task which was unparked, and found its slot taken by another, keeps its place.
 */
export function firstParked(sql: Sql, tenant: Fragment, count: Fragment): Fragment {
  return sql`
    select id from errand.tasks
     where parked_at is not null and tenant = ${tenant}
     order by run_at
     limit ${count}
       for no key update skip locked`;
}

/** Parts of a statement that unpark the tasks that `ids` selects, and owe a message for each. */
export function unpark(sql: Sql, ids: Fragment) {
  return sql`
    unparked as (
      update errand.tasks t
         set parked_at = null, nudge_at = now() + make_interval(secs => ${NUDGE_SECONDS})
       where id in (${ids})
      returning t.id, t.tenant, t.traceparent
    ), unparked_owed as (
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, now(), ${relayAt(sql, sql`now()`)} from unparked
      returning id, task_id
    )`;
}

/** The messages of `unpark`, as a part of the answer of its statement. */
export function unparkedMessages(sql: Sql) {
  return sql`
    select o.id, u.tenant, u.traceparent, o.task_id as "taskId", 0::float8 as "delaySeconds"
      from unparked_owed o join unparked u on u.id = o.task_id`;
}

export interface UnparkOptions {
  readonly cap: number | undefined;
  /** The most tasks of one statement. */
  readonly limit: number;
  /** Of the tenant of this task alone. */
  readonly likeTask?: TaskId;
}

/**
 * Unparks as many tasks of each tenant as it has free slots, those first that are first in line;
 * without a cap, all of them, `limit` at most. Covers what settling misses: a slot that came free
 * while the task was just being parked, a worker that died, an unparked task that was cancelled,
 * and a cap that was raised.
 */
export async function unparkWhereFree(
  sql: Sql,
  { cap, limit, likeTask }: UnparkOptions,
): Promise<OwedMessage[]> {
  const tenants = likeTask
    ? sql`select tenant from errand.tasks where id = ${likeTask}`
    : sql`select tenant from waiting where tenant is not null`;
  return sql<OwedMessage[]>`/* unparkWhereFree */
    with recursive waiting as (
      ${tenantsWithParked(sql)}
    ), room as (
      select tenant, ${cap ?? limit} - (select count(*) from errand.tasks holder
                                         where holder.tenant = of_tenant.tenant
                                           and holder.slot <= ${cap ?? 0}) as free
        from (${tenants}) as of_tenant
    ), next as (
      select chosen.id from room cross join lateral (
               ${firstParked(sql, sql`room.tenant`, sql`greatest(room.free, 0)`)}) as chosen
       limit ${limit}
    ), ${unpark(sql, sql`select id from next`)}
    ${unparkedMessages(sql)}`;
}

/**
 * The tenants with parked tasks, and a null in the end. From one to the next in the index: `distinct`
 * would read every parked task, which took 88 ms for 200,000 of them, and this 0.3 ms.
 */
function tenantsWithParked(sql: Sql): Fragment {
  return sql`
    (select tenant from errand.tasks where parked_at is not null order by tenant limit 1)
    union all
    select (select tenant from errand.tasks
             where parked_at is not null and tenant > waiting.tenant
             order by tenant limit 1)
      from waiting where tenant is not null`;
}
