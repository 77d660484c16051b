import type { TaskSummary } from '../tasks/task.ts';
import { cursorAfter } from './task-requests.ts';
import { viewSummary } from './task-view.ts';

/** Lambda answers 6 MB at most, and 200 commands of 64 KiB are more than that. */
const MAX_PAGE_BYTES = 4_000_000;

/**
 * A page of at most `limit` tasks, less when they are large: but at least one, so that a walk gets
 * on. `tasks` holds one more than `limit` where there is a next page.
 */
export function pageOf(tasks: readonly TaskSummary[], limit: number) {
  const items: ReturnType<typeof viewSummary>[] = [];
  let bytes = 0;
  for (const task of tasks.slice(0, limit)) {
    const item = viewSummary(task);
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (bytes > MAX_PAGE_BYTES && items.length > 0) break;
    items.push(item);
  }
  const last = items.at(-1);
  return { items, nextCursor: tasks.length > items.length && last ? cursorAfter(last.id) : null };
}
