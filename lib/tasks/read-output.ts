import type { Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import { AttemptNotFound, TaskNotFound } from './errors.ts';
import { readChunks, type StoredChunk, seqBefore } from './output-store.ts';
import { hasEnded, type TaskId, type TaskStatus } from './task.ts';
import type { TaskWatcher } from './task-watcher.ts';

/** What of a task's output is asked for. */
export interface OutputRequest {
  /** Of this attempt alone; else of the newest one. */
  readonly attempt: number | undefined;
  /** What comes after this sequence number; undefined: from the beginning. */
  readonly after: number | undefined;
  readonly waitMs: number;
  readonly maxBytes: number;
}

export interface OutputPage {
  readonly attempt: number;
  readonly chunks: readonly StoredChunk[];
  /** The `after` of the next request. */
  readonly next: number;
  /** There is no more, and will be no more: the task, or the attempt asked for, has ended. */
  readonly done: boolean;
}

export type ReadOutput = (
  tenant: Tenant,
  taskId: TaskId,
  request: OutputRequest,
) => Promise<OutputPage>;

/**
 * Reads output as it comes. Where there is none yet it waits for some, or for the end.
 * @throws TaskNotFound, AttemptNotFound
 */
export function makeReadOutput({ sql, watcher }: { sql: Sql; watcher: TaskWatcher }): ReadOutput {
  return async (tenant, taskId, request) => {
    const page = await readPage(sql, tenant, taskId, request);
    if (page.done || page.chunks.length > 0 || request.waitMs === 0) return page;
    const { attempt } = request;
    await watcher.wait(
      { taskId, afterSeq: page.next, ...(attempt !== undefined && { attempt }) },
      request.waitMs,
    );
    return readPage(sql, tenant, taskId, request);
  };
}

async function readPage(
  sql: Sql,
  tenant: Tenant,
  taskId: TaskId,
  { attempt: asked, after: from = 0, maxBytes }: OutputRequest,
): Promise<OutputPage> {
  // Before the chunks: what has ended by now writes no more.
  const state = await readState(sql, tenant, taskId);
  if (!state) throw new TaskNotFound(taskId);
  const attempt = asked ?? state.attempt;
  if (asked !== undefined && asked > state.attempt) {
    throw new AttemptNotFound(taskId, asked, state.attempt);
  }
  const after = Math.max(from, seqBefore(attempt));
  const upTo = seqBefore(attempt + 1) - 1;
  const chunks = await readChunks(sql, taskId, { after, upTo, maxBytes });
  const next = chunks.at(-1)?.seq ?? after;
  const ended =
    hasEnded(state.status) ||
    (asked !== undefined && (asked < state.attempt || state.status !== 'running'));
  const bytes = chunks.reduce((sum, chunk) => sum + chunk.bytes.length, 0);
  return { attempt, chunks, next, done: ended && bytes < maxBytes };
}

async function readState(sql: Sql, tenant: Tenant, taskId: TaskId) {
  const [state] = await sql<{ attempt: number; status: TaskStatus }[]>`/* readState */
    select attempt, status from errand.tasks where id = ${taskId} and tenant = ${tenant}`;
  return state;
}
