import type { Sql } from '../db/connection.ts';
import { extendTally, isTallyDue } from './tally-store.ts';

export type TallyTasks = () => Promise<void>;

/** Brings the tally of ended tasks up to date; does nothing when it is. */
export function makeTallyTasks({ sql }: { sql: Sql }): TallyTasks {
  return async () => {
    while (await isTallyDue(sql)) await extendTally(sql);
  };
}
