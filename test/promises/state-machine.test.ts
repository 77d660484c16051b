import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import { recordHistory } from '../../scripts/chaos/history.ts';
import { useDatabase } from '../support/database.ts';
import { SUCCEEDED } from './settlements.ts';
import { anyStep } from './steps.ts';
import { World } from './world.ts';

/** `PROPERTY_RUNS=5000 npm test -- state-machine` looks longer; a failure tells its seed and path. */
const RUNS = Number(process.env.PROPERTY_RUNS || 40);
const SEED = process.env.PROPERTY_SEED;
const PATH = process.env.PROPERTY_PATH;

const database = useDatabase();
let sql: Sql;
beforeAll(async () => {
  sql = database.sql;
  await recordHistory(sql);
});

/** No worker dies any more, the queue works: now everything must come to its end. */
async function comeToRest(world: World): Promise<void> {
  world.queueIsDown = false;
  for (const claim of world.held) world.vanish(claim);
  for (let round = 0; round < 20; round++) {
    await world.passTime(1000);
    await world.relay();
    await world.rescue();
    for (const message of world.visible()) {
      const claim = await world.deliver(message, { again: false });
      if (claim) await world.settle(claim, SUCCEEDED);
    }
    await world.check();
    const rows = await world.rows();
    if (rows.every(({ status }) => status !== 'queued' && status !== 'running')) return;
  }
  expect(await world.rows()).toEqual('all ended');
}

describe('a task', () => {
  it(
    `keeps to its state machine, and ends, whatever happens in whatever order (${RUNS} runs)`,
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.commands(anyStep, { maxCommands: 100, size: 'max' }), async (steps) => {
          await sql`truncate errand.tasks, audit.steps cascade`;
          const world = new World(sql);
          await fc.asyncModelRun(() => ({ model: {}, real: world }), steps);
          await comeToRest(world);
        }),
        {
          numRuns: RUNS,
          ...(SEED && { seed: Number(SEED) }),
          ...(PATH && { path: PATH }),
        },
      );
    },
    Math.max(20_000, RUNS * 3000),
  );
});
