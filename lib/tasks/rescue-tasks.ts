import { type PublishDeps, publishOwed } from './publish-owed.ts';
import { requeueLostTasks } from './task-store.ts';

/** Tasks that one statement rescues. */
const BATCH = 100;

export type RescueTasks = () => Promise<number>;

/**
 * Makes tasks runnable again whose worker stopped renewing the lease, and returns how many attempts
 * were lost. Works from the database alone: it needs no message and no visibility timeout.
 */
export function makeRescueTasks(deps: PublishDeps): RescueTasks {
  return async () => {
    let rescued = 0;
    for (;;) {
      const { lost, owed } = await requeueLostTasks(deps.sql, BATCH);
      await publishOwed(deps, owed);
      rescued += lost;
      if (lost < BATCH) return rescued;
    }
  };
}
