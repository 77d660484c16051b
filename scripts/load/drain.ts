import { setTimeout as delay } from 'node:timers/promises';
import { Failure } from '../failure.ts';
import type { Client } from './client.ts';
import { followedTasks, haveEnded } from './followed-tasks.ts';
import { readTaskFigures, type TaskFigures } from './task-figures.ts';

const LOOK_MS = 500;

/** A failure, when the server is gone: what is known of the requests is told all the same. */
export async function drain(
  aside: Client,
  run: string,
  { seconds, signal }: { seconds: number; signal: AbortSignal },
): Promise<Failure | undefined> {
  const until = performance.now() + seconds * 1000;
  while (!signal.aborted && performance.now() < until) {
    const ended = await haveEnded(aside, run).catch(onlyFailure);
    if (ended === true) return undefined;
    if (ended instanceof Failure) return ended;
    await delay(LOOK_MS, undefined, { signal }).catch(() => {});
  }
  return undefined;
}

export function followTasks(
  aside: Client,
  run: string,
  times: { beganAt: number; binMs: number },
): Promise<TaskFigures | Failure> {
  return readTaskFigures(followedTasks(aside, run), times).catch(onlyFailure);
}

function onlyFailure(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}
