import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import type { TaskId, TaskStatus } from './task.ts';

/** A place in the list: newest first, and by id among tasks of the same millisecond. */
export interface Place {
  readonly createdAt: Date;
  readonly id: TaskId;
}

export interface TaskFilter {
  /** One of these; none at all: any. */
  readonly statuses: readonly TaskStatus[];
  /** All of these. */
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAfter: Date | undefined;
  readonly createdBefore: Date | undefined;
  /** A part of the command, or of the arguments joined by spaces, in upper or lower case. */
  readonly text: string | undefined;
}

/** An index to find tasks by, newest first. */
export interface TaskWalk {
  /** Whether all that it leads to matches the filter. */
  readonly exact: boolean;
  /** Selects `created_at, id` of the first ones, in order. */
  places(limit: number): Fragment;
}

type Fragment = ReturnType<Sql>;

/** Beyond this many tasks, one index is as good as the other. */
const WORTH_COUNTING = 1000;

/**
 * The index that leads to the fewest tasks: that of a label, that of the statuses, or, where the
 * filter names neither, that of all tasks.
 */
export async function walkFor(
  sql: Sql,
  tenant: Tenant,
  filter: TaskFilter,
  after: Place | undefined,
): Promise<TaskWalk> {
  const walks = [
    ...walksByLabel(sql, tenant, filter, after),
    ...walksByStatus(sql, tenant, filter, after),
  ];
  const [first, ...others] = walks;
  if (!first) return walkByCreation(sql, tenant, filter, after);
  if (others.length === 0) return first;
  const counts = await Promise.all(walks.map((walk) => countPlaces(sql, walk)));
  return walks[counts.indexOf(Math.min(...counts))] ?? first;
}

async function countPlaces(sql: Sql, walk: TaskWalk): Promise<number> {
  const [row] = await sql<[{ count: number }]>`/* countPlaces */
    select count(*) from (${walk.places(WORTH_COUNTING)}) as place`;
  return row.count;
}

function walkByCreation(
  sql: Sql,
  tenant: Tenant,
  filter: TaskFilter,
  after: Place | undefined,
): TaskWalk {
  return {
    exact: filter.text === undefined,
    places: (limit) => sql`
      select created_at, id from errand.tasks
       where tenant = ${tenant} and ${within(sql, filter, after, sql`id`)}
       order by created_at desc, id desc
       limit ${limit}`,
  };
}

function walksByLabel(
  sql: Sql,
  tenant: Tenant,
  filter: TaskFilter,
  after: Place | undefined,
): TaskWalk[] {
  const labels = Object.entries(filter.labels);
  const exact = labels.length === 1 && filter.statuses.length === 0 && filter.text === undefined;
  return labels.map(([key, value]) => ({
    exact,
    places: (limit) => sql`
      select created_at, task_id as id from errand.task_labels
       where tenant = ${tenant} and key = ${key} and value = ${value}
         and ${within(sql, filter, after, sql`task_id`)}
       order by created_at desc, task_id desc
       limit ${limit}`,
  }));
}

/** Each status has its tasks in order; those of several are merged. */
function walksByStatus(
  sql: Sql,
  tenant: Tenant,
  filter: TaskFilter,
  after: Place | undefined,
): TaskWalk[] {
  const { statuses, labels, text } = filter;
  if (statuses.length === 0) return [];
  const exact = Object.keys(labels).length === 0 && text === undefined;
  const places = (limit: number): Fragment => sql`
    select place.created_at, place.id
      from unnest(${[...statuses]}::text[]) as wanted (status)
     cross join lateral (
             select created_at, id from errand.tasks
              where tenant = ${tenant} and status = wanted.status
                and ${within(sql, filter, after, sql`id`)}
              order by created_at desc, id desc
              limit ${limit}) as place
     order by place.created_at desc, place.id desc
     limit ${limit}`;
  return [{ exact, places }];
}

function within(
  sql: Sql,
  { createdAfter, createdBefore }: TaskFilter,
  after: Place | undefined,
  id: Fragment,
): Fragment {
  return sql`
    true
    ${createdAfter ? sql`and created_at > ${createdAfter}` : sql``}
    ${createdBefore ? sql`and created_at < ${createdBefore}` : sql``}
    ${after ? sql`and (created_at, ${id}) < (${after.createdAt}::timestamptz, ${after.id}::uuid)` : sql``}`;
}
