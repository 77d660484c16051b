import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { abandonExpired, countWaiting, oweForgotten } from './upkeep-store.ts';

/** Tasks that one statement rescues. */
const BATCH = 100;

export interface Rescue {
  /** Attempts whose worker vanished. */
  readonly lost: number;
  /** Tasks whose message vanished. */
  readonly forgotten: number;
}

export type RescueTasks = () => Promise<Rescue>;

/**
 * Makes tasks runnable again whose worker stopped renewing the lease, and sends messages again that
 * the queue lost. Works from the database: it needs no message and no visibility timeout.
 * @throws QueueUnavailable when it cannot tell whether the queue has lost messages
 */
export function makeRescueTasks(deps: PublishDeps): RescueTasks {
  return async () => ({ lost: await rescueLost(deps), forgotten: await sendForgotten(deps) });
}

async function rescueLost(deps: PublishDeps): Promise<number> {
  let rescued = 0;
  for (;;) {
    const { attempts, owed } = await abandonExpired(deps.sql, BATCH);
    await publishOwed(deps, owed);
    rescued += attempts;
    if (attempts < BATCH) return rescued;
  }
}

/**
 * As long as the queue holds as many messages as tasks wait, none is lost and a long wait is just a
 * long queue. Messages in flight do not count: a task that waits has no worker, so its message has
 * failed and may stay out of sight for as long as the visibility timeout.
 */
async function sendForgotten(deps: PublishDeps): Promise<number> {
  const { due, owed } = await countWaiting(deps.sql);
  if (due === 0) return 0;
  const { ready, delayed } = await deps.queue.depth();
  const missing = due - owed - ready - delayed;
  if (missing <= 0) return 0;
  const messages = await oweForgotten(deps.sql, Math.min(missing, BATCH));
  await publishOwed(deps, messages);
  return messages.length;
}
