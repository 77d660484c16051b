import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import type { Client } from './client.ts';

const TRIES = 5;
const TRY_AGAIN_MS = 1000;

/** What the list says of a task, as far as it is read here. */
export interface FollowedTask {
  readonly status: 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';
  readonly createdAt: string;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
}

interface TaskPage {
  readonly items: readonly FollowedTask[];
  readonly nextCursor: string | null;
}

/**
 * The tasks of a run, newest first. They are read once, when it is over: their times are the
 * database's, so that nothing is learned by asking while it runs, and asking would be load as well.
 */
export async function* followedTasks(client: Client, run: string): AsyncGenerator<FollowedTask> {
  yield* walk(client, `label=load:${run}&limit=200`);
}

/** Whether all tasks of a run have ended. */
export async function haveEnded(client: Client, run: string): Promise<boolean> {
  const open = walk(client, `label=load:${run}&status=queued&status=running&limit=1`);
  return (await open.next()).done === true;
}

async function* walk(client: Client, query: string): AsyncGenerator<FollowedTask> {
  let cursor = '';
  for (;;) {
    const { items, nextCursor } = await page(client, `/api/tasks?${query}${cursor}`);
    yield* items;
    if (nextCursor === null) return;
    cursor = `&cursor=${encodeURIComponent(nextCursor)}`;
  }
}

/** @throws Failure when the server does not recover from the load within some tries */
async function page(client: Client, path: string): Promise<TaskPage> {
  for (let tries = 1; ; tries++) {
    const answer = await client.ask({ method: 'GET', path });
    if (answer.kind === 'answered' && answer.status === 200) return JSON.parse(answer.body);
    if (tries === TRIES) {
      const how = answer.kind === 'answered' ? `with ${answer.status}` : `not: ${reason(answer)}`;
      throw new Failure(
        `The tasks of the run cannot be read: GET ${path} was answered ${how}.`,
        'Is errand still up? Its log says what it complains of.',
      );
    }
    await delay(TRY_AGAIN_MS * tries);
  }
}

function reason(answer: { kind: 'failed'; reason: string } | { kind: string }): string {
  return 'reason' in answer ? answer.reason : answer.kind;
}
