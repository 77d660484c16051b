import type { z } from 'zod';
import type { TaskPage } from '../tasks/list-tasks.ts';
import type { TaskPageDocument } from './task-document.ts';
import { cursorAfter } from './task-requests.ts';
import { viewSummary } from './task-view.ts';

/** Lambda answers 6 MB at most, and 200 commands of 64 KiB are more than that. */
const MAX_PAGE_BYTES = 4_000_000;

/** A page of tasks; less of them when they are large, but at least one, so that a walk gets on. */
export function viewPage({ tasks, next }: TaskPage): z.infer<typeof TaskPageDocument> {
  const items: ReturnType<typeof viewSummary>[] = [];
  let bytes = 0;
  for (const task of tasks) {
    const item = viewSummary(task);
    bytes += Buffer.byteLength(JSON.stringify(item));
    if (bytes > MAX_PAGE_BYTES && items.length > 0) break;
    items.push(item);
  }
  const end = items.length < tasks.length ? tasks[items.length - 1] : next;
  return { items, nextCursor: end ? cursorAfter(end) : null };
}
