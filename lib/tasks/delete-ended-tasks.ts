import type { Sql } from '../db/connection.ts';
import { deleteEnded } from './upkeep-store.ts';

/** Small, so that no lock and no vacuum waits long. */
const BATCH = 500;
/** One run is bounded; the next one goes on. */
const MAX_BATCHES = 40;

export type DeleteEndedTasks = () => Promise<number>;

/** Deletes tasks that ended more than `retentionDays` ago, with all they left; returns how many. */
export function makeDeleteEndedTasks(deps: { sql: Sql; retentionDays: number }): DeleteEndedTasks {
  return async () => {
    let deleted = 0;
    for (let batch = 0; batch < MAX_BATCHES; batch++) {
      const count = await deleteEnded(deps.sql, deps.retentionDays, BATCH);
      deleted += count;
      if (count < BATCH) break;
    }
    return deleted;
  };
}
