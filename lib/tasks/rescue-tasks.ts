import { count } from '../observability/metrics.ts';
import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { unparkWhereFree } from './slots.ts';
import { recordAbandoned } from './task-metrics.ts';
import { abandonExpired, anyOverdue, countDue, oweForgotten } from './upkeep-store.ts';

/** Tasks that one statement rescues. */
const BATCH = 100;

/** Tasks that one statement unparks. */
const MOST_UNPARKED = 500;
/** Tasks whose message one run sends again. */
const MOST_FORGOTTEN = 500;
/** The price of certainty while the queue is long: so many duplicates a run. */
const FEWEST_FORGOTTEN = 10;
/** Beyond this, counting the tasks that wait costs more than it tells. */
const LONG_QUEUE = 10_000;

export interface Rescue {
  /** Attempts whose worker vanished. */
  readonly lost: number;
  /** Tasks whose message vanished. */
  readonly forgotten: number;
}

export interface RescueDeps extends PublishDeps {
  /** That of the workers. */
  readonly tenantMaxRunning?: number | undefined;
}

export type RescueTasks = () => Promise<Rescue>;

/**
 * Makes tasks runnable again whose worker stopped renewing the lease, and sends messages again that
 * the queue lost, or that a free slot calls for. Works from the database: it needs no message and no
 * visibility timeout.
 * @throws QueueUnavailable when it cannot tell whether the queue has lost messages
 */
export function makeRescueTasks(deps: RescueDeps): RescueTasks {
  return async () => {
    const lost = await rescueLost(deps);
    await sendUnparked(deps);
    return { lost, forgotten: await sendForgotten(deps) };
  };
}

/**
 * Tasks that were parked for want of a slot, and have one now. With a cap once only: the slots stay
 * free until somebody claims the tasks, and would be given away again.
 */
async function sendUnparked({ tenantMaxRunning: cap, ...deps }: RescueDeps): Promise<void> {
  for (;;) {
    const owed = await unparkWhereFree(deps.sql, { cap, limit: MOST_UNPARKED });
    await publishOwed(deps, owed);
    if (cap !== undefined || owed.length < MOST_UNPARKED) return;
  }
}

async function rescueLost(deps: PublishDeps): Promise<number> {
  let rescued = 0;
  for (;;) {
    const { fates, owed } = await abandonExpired(deps.sql, BATCH);
    recordAbandoned(fates, 'lost');
    await publishOwed(deps, owed);
    rescued += fates.length;
    if (fates.length < BATCH) return rescued;
  }
}

/**
 * While the queue holds fewer messages than tasks wait, as many are missing. Messages in flight do
 * not count: a task that waits has no worker, so its message has failed and may stay out of sight
 * for as long as the visibility timeout. Messages that are there may be duplicates, or of other
 * tasks, so a few tasks that have waited longest are sent again even when none seems to be missing.
 */
async function sendForgotten(deps: PublishDeps): Promise<number> {
  if (!(await anyOverdue(deps.sql))) return 0;
  const { ready } = await deps.queue.depth();
  const missing =
    ready > LONG_QUEUE ? 0 : (await countDue(deps.sql, ready + MOST_FORGOTTEN)) - ready;
  const messages = await oweForgotten(deps.sql, Math.max(missing, FEWEST_FORGOTTEN));
  count('errand_rescues_total', { what: 'forgotten' }, messages.length);
  await publishOwed(deps, messages);
  return messages.length;
}
