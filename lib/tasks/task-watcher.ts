import type { Sql } from '../db/connection.ts';
import { outsideSpans } from '../observability/tracing.ts';
import type { TaskId } from './task.ts';

/** How often a task is looked at that somebody waits for: soon at first, then less and less often. */
const FIRST_LOOK_MS = 5;
const LONGEST_PAUSE_MS = 200;
const PAUSE_FACTOR = 1.5;
/** However many wait, there is one look within this time. */
const LOOK_INTERVAL_MS = 20;

/** What somebody waits for. */
export interface Awaited {
  readonly taskId: TaskId;
  /** Output with a higher sequence number will do as well. */
  readonly afterSeq?: number;
  /** The end of this attempt will do as well. */
  readonly attempt?: number;
}

export interface TaskWatcher {
  /** Resolves when it has come, and at the latest after `timeoutMs`: the caller looks then. */
  wait(awaited: Awaited, timeoutMs: number): Promise<void>;
}

interface WatcherDeps {
  readonly sql: Sql;
  /** Ends all waits: who waits is to have an answer before this process is gone. */
  readonly shutdown?: AbortSignal;
}

interface Waiter extends Awaited {
  dueAt: number;
  pauseMs: number;
  wake(): void;
}

/**
 * Waits for tasks without holding a connection: all who wait in this process share one statement,
 * at most fifty times a second. A database that is away is asked again; the wait just goes on.
 */
export function makeTaskWatcher({ sql, shutdown }: WatcherDeps): TaskWatcher {
  const waiters = new Set<Waiter>();
  shutdown?.addEventListener('abort', () => {
    for (const waiter of waiters) waiter.wake();
  });
  let timer: NodeJS.Timeout | undefined;
  let looking = false;
  let lookedAt = 0;

  function schedule(): void {
    clearTimeout(timer);
    timer = undefined;
    if (looking || waiters.size === 0) return;
    const dueAt = Math.min(...Array.from(waiters, (waiter) => waiter.dueAt));
    const at = Math.max(dueAt, lookedAt + LOOK_INTERVAL_MS);
    timer = outsideSpans(() => setTimeout(look, Math.max(0, at - performance.now())));
  }

  async function look(): Promise<void> {
    looking = true;
    lookedAt = performance.now();
    const due = Array.from(waiters).filter(({ dueAt }) => dueAt <= lookedAt + LOOK_INTERVAL_MS);
    for (const waiter of due) {
      waiter.dueAt = lookedAt + waiter.pauseMs;
      waiter.pauseMs = Math.min(waiter.pauseMs * PAUSE_FACTOR, LONGEST_PAUSE_MS);
    }
    try {
      const arrived = due.length === 0 ? [] : await findArrived(sql, due);
      for (const position of arrived) due[position - 1]?.wake();
    } catch {
      // Who asks for the task next tells its caller what is wrong.
    }
    looking = false;
    schedule();
  }

  return {
    wait(awaited, timeoutMs) {
      if (shutdown?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const waiter: Waiter = {
          ...awaited,
          dueAt: performance.now() + FIRST_LOOK_MS,
          pauseMs: FIRST_LOOK_MS,
          wake() {
            clearTimeout(patience);
            waiters.delete(waiter);
            resolve();
          },
        };
        const patience = setTimeout(waiter.wake, timeoutMs);
        waiters.add(waiter);
        schedule();
      });
    },
  };
}

/** Which of the awaited have come, by position from 1. */
async function findArrived(sql: Sql, awaited: readonly Awaited[]): Promise<number[]> {
  const rows = await sql<{ position: number }[]>`/* findArrived */
    select w.position
      from unnest(${awaited.map(({ taskId }) => taskId)}::uuid[],
                  ${awaited.map(({ afterSeq }) => afterSeq ?? -1)}::bigint[],
                  ${awaited.map(({ attempt }) => attempt ?? -1)}::int[])
           with ordinality as w (task_id, after_seq, attempt, position)
      join errand.tasks t on t.id = w.task_id
     where t.finished_at is not null
        or w.attempt >= 0 and (t.attempt > w.attempt or t.status <> 'running')
        or w.after_seq >= 0 and exists (
             select from errand.output_chunks c where c.task_id = t.id and c.seq > w.after_seq)`;
  return rows.map(({ position }) => position);
}
