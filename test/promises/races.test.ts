import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import {
  type Claim,
  claimTask,
  oweUnclaimed,
  renewLeases,
  type Settlement,
  settleAttempt,
} from '../../lib/tasks/attempt-store.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel, requeueEnded } from '../../lib/tasks/task-store.ts';
import {
  abandonExpired,
  abandonHeld,
  deleteEnded,
  oweForgotten,
} from '../../lib/tasks/upkeep-store.ts';
import { findIllegalStates, findIllegalSteps, recordHistory } from '../../scripts/chaos/history.ts';
import { storeTask, type TaskFields, TENANT } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { runBehindLock } from './in-order.ts';

const database = useDatabase();
let sql: Sql;
beforeAll(async () => {
  sql = database.connect({ poolMax: 8 });
  await recordHistory(sql);
});
beforeEach(async () => {
  await sql`truncate errand.tasks, audit.steps cascade`;
});

const OUTPUT = { bytes: Buffer.alloc(0), totalBytes: 0 };
const SUCCEEDED: Settlement = {
  status: 'succeeded',
  failure: null,
  exitCode: 0,
  signal: null,
  wallMs: 1,
  cpuMs: null,
  maxRssBytes: null,
  stdout: OUTPUT,
  stderr: OUTPUT,
};
const FAILED: Settlement = {
  ...SUCCEEDED,
  status: 'failed',
  failure: { code: 'nonzero_exit', message: 'The command exited with code 1.' },
  exitCode: 1,
};

/** A task and everything that can be done to it at once. */
interface Race {
  readonly id: TaskId;
  readonly claim: Claim | undefined;
}

const moves = {
  claim: ({ id }: Race) => claimTask(sql, id, { leaseSeconds: 30, sandboxTier: 'none' }),
  'owe a message': ({ id }: Race) => oweUnclaimed(sql, id),
  renew: ({ id, claim }: Race) => renewLeases(sql, [claim ?? { taskId: id, attempt: 1 }], 30),
  succeed: ({ id, claim }: Race) =>
    settleAttempt(sql, claim ?? { taskId: id, attempt: 1 }, SUCCEEDED),
  fail: ({ id, claim }: Race) => settleAttempt(sql, claim ?? { taskId: id, attempt: 1 }, FAILED),
  'give back': ({ id, claim }: Race) => abandonHeld(sql, claim ?? { taskId: id, attempt: 1 }),
  rescue: () => abandonExpired(sql, 100),
  cancel: ({ id }: Race) => requestCancel(sql, TENANT, id),
  retry: ({ id }: Race) => requeueEnded(sql, TENANT, id),
  nudge: () => oweForgotten(sql, 100),
  delete: () => deleteEnded(sql, 0, 100),
} as const satisfies Record<string, (race: Race) => Promise<unknown>>;
type Move = keyof typeof moves;
const MOVES = Object.keys(moves) as Move[];

const beginnings: Record<string, (fields: TaskFields) => Promise<Race>> = {
  queued: async (fields) => ({ id: await storeForgotten(fields), claim: undefined }),
  running: async (fields) => {
    const id = await storeForgotten(fields);
    return { id, claim: await claimTask(sql, id, { leaseSeconds: -1, sandboxTier: 'none' }) };
  },
  failed: async (fields) => {
    const id = await storeForgotten({ ...fields, maxAttempts: 1 });
    const claim = await claimTask(sql, id, { leaseSeconds: 30, sandboxTier: 'none' });
    if (claim) await settleAttempt(sql, claim, FAILED);
    return { id, claim };
  },
};

async function storeForgotten(fields: TaskFields): Promise<TaskId> {
  const id = await storeTask(sql, fields);
  await sql`update errand.tasks set nudge_at = now() - interval '1 second' where id = ${id}`;
  return id;
}

describe.each(Object.keys(beginnings))('two statements at once on a %s task', (beginning) => {
  test.each(MOVES)(
    '%s first, then each of the others, keep to the state machine',
    async (first) => {
      for (const second of MOVES) {
        for (const fields of [
          { maxAttempts: 3, retryDelaySeconds: 0 },
          { onWorkerLost: 'fail' },
        ] as const) {
          const race = await beginnings[beginning]?.(fields);
          if (!race) throw new Error('unreachable');
          await runBehindLock(sql, race.id, [
            () => moves[first](race),
            () => moves[second](race),
          ]).catch((error: unknown) => {
            throw new Error(`${first}, then ${second}`, { cause: error });
          });
          const told = `${first}, then ${second}, ${JSON.stringify(fields)}`;
          expect([told, ...(await findIllegalSteps(sql))]).toEqual([told]);
          expect([told, ...(await findIllegalStates(sql))]).toEqual([told]);
        }
      }
    },
  );
});
