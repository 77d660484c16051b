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
/**
 * Of commands and labels in a page. Two hundred commands of 64 KiB in each page would keep a process
 * that serves everybody busy with one caller.
 */
const MAX_PAGE_BYTES = 1024 * 1024;
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
  if (isFull(few, wanted)) return pageOf(few, limit);
  const rows = await selectRows(sql, walk.places(MAX_LOOKED_AT), wanted, filter);
  if (isFull(rows, wanted)) return pageOf(rows, limit);
  return { ...pageOf(rows, limit), next: await placeAt(sql, walk, MAX_LOOKED_AT) };
}

/** A row of a page; nulls for what would make the page too large. */
type PageRow = TaskRow | { readonly id: null };

async function selectRows(
  sql: Sql,
  places: ReturnType<Sql>,
  count: number,
  filter?: TaskFilter,
): Promise<PageRow[]> {
  return sql<PageRow[]>`/* listTasks */
    with picked as (
      select place.created_at, place.id,
             octet_length(${programText(sql)}) + octet_length(t.labels::text) as bytes
        from (${places}) as place (created_at, id)
        join errand.tasks t on t.id = place.id
       where ${filter ? matches(sql, filter) : sql`true`}
       order by place.created_at desc, place.id desc
       limit ${count}
    ), measured as (
      select *, sum(bytes) over (order by created_at desc, id desc) - bytes as bytes_before
        from picked
    )
    select ${summaryColumns(sql)}
      from measured m
      left join errand.tasks t on t.id = m.id and m.bytes_before < ${MAX_PAGE_BYTES}
      left join errand.attempts a on a.task_id = t.id and a.number = t.attempt
     order by m.created_at desc, m.id desc`;
}

function isFull(rows: readonly PageRow[], wanted: number): boolean {
  return rows.length === wanted || rows.at(-1)?.id === null;
}

function pageOf(rows: readonly PageRow[], limit: number): TaskPage {
  const whole = rows.slice(0, limit).filter((row) => row.id !== null);
  const tasks = whole.map(toSummary);
  return { tasks, next: rows.length > tasks.length ? tasks.at(-1) : undefined };
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
  return sql`strpos(lower(${programText(sql)}), lower(${text})) > 0`;
}

function programText(sql: Sql) {
  return sql`coalesce(t.command, array_to_string(t.argv, ' '))`;
}
