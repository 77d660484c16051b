import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import type { TaskSummary } from './task.ts';
import { summaryColumns, type TaskRow, toSummary } from './task-rows.ts';
import { type Place, type TaskFilter, type TaskWalk, walkFor } from './task-walk.ts';

export interface TaskPage {
  readonly tasks: readonly TaskSummary[];
  /** The next page, if there may be one, begins after this place. */
  readonly next: Place | undefined;
}

export interface PageRequest {
  readonly limit: number;
  readonly after?: Place | undefined;
}

export type ListTasks = (
  tenant: Tenant,
  filter: TaskFilter,
  page: PageRequest,
) => Promise<TaskPage>;

/**
 * So many tasks are looked at for one page at most. What few of them match is then found over
 * several pages, each at a bounded cost, instead of in one whose cost grows with the table.
 */
const MAX_LOOKED_AT = 20_000;
/** What many tasks match is found among the first ones. */
const FEW_LOOKED_AT = 1000;

/**
 * Tasks of a tenant that match, newest first. It walks one index in order of time, and holds the
 * rest of the filter against what it meets there.
 */
export function makeListTasks({ sql }: { sql: Sql }): ListTasks {
  return (tenant, filter, page) => listTasks(sql, tenant, filter, page);
}

async function listTasks(
  sql: Sql,
  tenant: Tenant,
  filter: TaskFilter,
  { limit, after }: PageRequest,
): Promise<TaskPage> {
  const walk = await walkFor(sql, tenant, filter, after);
  // One more than asked for tells whether there is a next page.
  const wanted = limit + 1;
  if (walk.exact) return pageOf(await selectRows(sql, walk.places(wanted), wanted), limit);

  const few = await selectRows(sql, walk.places(FEW_LOOKED_AT), wanted, filter);
  if (few.length === wanted) return pageOf(few, limit);
  const rows = await selectRows(sql, walk.places(MAX_LOOKED_AT), wanted, filter);
  if (rows.length === wanted) return pageOf(rows, limit);
  return { tasks: rows.map(toSummary), next: await placeAt(sql, walk, MAX_LOOKED_AT) };
}

async function selectRows(
  sql: Sql,
  places: ReturnType<Sql>,
  count: number,
  filter?: TaskFilter,
): Promise<TaskRow[]> {
  return sql<TaskRow[]>`/* listTasks */
    select ${summaryColumns(sql)}
      from (${places}) as place (created_at, id)
      join errand.tasks t on t.id = place.id
      left join errand.attempts a on a.task_id = t.id and a.number = t.attempt
     where ${filter ? matches(sql, filter) : sql`true`}
     order by place.created_at desc, place.id desc
     limit ${count}`;
}

function pageOf(rows: readonly TaskRow[], limit: number): TaskPage {
  const tasks = rows.slice(0, limit).map(toSummary);
  return { tasks, next: rows.length > limit ? tasks.at(-1) : undefined };
}

/** The nth place of a walk; undefined when it comes to its end before. */
async function placeAt(sql: Sql, walk: TaskWalk, n: number): Promise<Place | undefined> {
  const [place] = await sql<Place[]>`/* placeOfTask */
    select created_at as "createdAt", id from (${walk.places(n)}) as place (created_at, id)
     order by created_at desc, id desc
    offset ${n - 1}`;
  return place;
}

function matches(sql: Sql, { statuses, labels, text }: TaskFilter) {
  return sql`
    ${statuses.length > 0 ? sql`t.status = any(${[...statuses]}::text[])` : sql`true`}
    and t.labels @> ${sql.json(labels)}
    ${text === undefined ? sql`` : sql`and ${containsText(sql, text)}`}`;
}

function containsText(sql: Sql, text: string) {
  const program = sql`coalesce(t.command, array_to_string(t.argv, ' '))`;
  return sql`strpos(lower(${program}), lower(${text})) > 0`;
}
