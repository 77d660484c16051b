import { beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import { makeReadStats } from '../../lib/tasks/read-stats.ts';
import { extendTally } from '../../lib/tasks/tally-store.ts';
import { makeTallyTasks } from '../../lib/tasks/tally-tasks.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel, requeueEnded } from '../../lib/tasks/task-store.ts';
import { deleteEnded } from '../../lib/tasks/upkeep-store.ts';
import { ACTOR, storeTask, TENANT } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();
const { database, broker } = system;
const stranger = 'somebody-else' as Tenant;

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await database.sql`truncate errand.tallies`;
  await database.sql`update errand.tally_state set tallied_until = '-infinity'`;
});

const stats = (tenant = TENANT, wholeQueue = false) =>
  makeReadStats(system.deps)(tenant, { wholeQueue });

/** A task that was cancelled so long ago. */
async function anEnded(hoursAgo: number, tenant: Tenant = TENANT): Promise<TaskId> {
  const id = await storeTask(database.sql, {}, tenant);
  await database.sql`
    update errand.tasks set status = 'cancelled',
           finished_at = now() - make_interval(mins => ${hoursAgo * 60})
     where id = ${id}`;
  return id;
}

async function tallied(): Promise<unknown[]> {
  return Array.from(
    await database.sql`select tenant, status, count from errand.tallies order by tenant`,
  );
}

describe('statistics', () => {
  it('count the tasks of a tenant by status', async () => {
    await storeTask(database.sql);
    await claimed(database.sql, await storeTask(database.sql));
    await requestCancel(database.sql, ACTOR, await storeTask(database.sql));
    await storeTask(database.sql, {}, stranger);
    const { tasks } = await stats();
    expect(tasks).toEqual({ queued: 1, running: 1, succeeded: 0, failed: 0, cancelled: 1 });
  });

  it('are zeros and nulls where there is nothing', async () => {
    expect(await stats()).toEqual({
      tasks: { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 },
      oldestWaitSeconds: null,
      recent: {
        seconds: 900,
        created: 0,
        succeeded: 0,
        failed: 0,
        cancelled: 0,
        waitMs: { p50: null, p95: null, p99: null },
        runMs: { p50: null, p95: null, p99: null },
      },
      queue: null,
    });
  });

  it('tell how long tasks waited and ran that ended within a quarter of an hour', async () => {
    for (const [minutesAgo, waited, ran] of [
      [1, 1, 2],
      [2, 3, 6],
      [20, 100, 100],
    ] as const) {
      const id = await storeTask(database.sql);
      await database.sql`
        with end_ as (select now() - make_interval(mins => ${minutesAgo}) as at)
        update errand.tasks
           set status = 'succeeded', attempt = 1, finished_at = at,
               started_at = at - make_interval(secs => ${ran}),
               run_at = at - make_interval(secs => ${ran + waited}),
               created_at = at - make_interval(secs => ${ran + waited})
          from end_ where id = ${id}`;
    }
    const { recent } = await stats();
    expect(recent).toMatchObject({
      created: 2,
      succeeded: 2,
      waitMs: { p50: 2000, p95: 2900, p99: 2980 },
      runMs: { p50: 4000, p95: 5800, p99: 5960 },
    });
  });

  it('do not take a delay that was asked for as time in the queue', async () => {
    const id = await storeTask(database.sql);
    await database.sql`
      update errand.tasks
         set status = 'succeeded', attempt = 1, finished_at = now(), started_at = now(),
             created_at = now() - interval '1 hour', run_at = now() - interval '2 seconds'
       where id = ${id}`;
    expect((await stats()).recent.waitMs.p50).toBe(2000);
  });

  it('tell the age of the oldest task that could run, not of one that is to wait', async () => {
    await storeTask(database.sql, { delaySeconds: 600 });
    expect((await stats()).oldestWaitSeconds).toBeNull();
    const waiting = await storeTask(database.sql);
    await database.sql`
      update errand.tasks set run_at = now() - interval '90 seconds' where id = ${waiting}`;
    expect((await stats()).oldestWaitSeconds).toBeCloseTo(90, 0);
  });

  it('show the whole queue only to who may know of all tenants', async () => {
    await broker.purge();
    await broker.queue.publish([{ taskId: await storeTask(database.sql), delaySeconds: 0 }]);
    expect((await stats(TENANT, true)).queue).toEqual({
      ready: 1,
      inFlight: 0,
      delayed: 0,
      deadLetters: 0,
    });
    expect((await stats(TENANT, false)).queue).toBeNull();
  });
});

describe('the tally of ended tasks', () => {
  const tally = () => makeTallyTasks({ sql: database.sql })();

  it('takes over what ended a while ago, and changes no count by it', async () => {
    for (const hoursAgo of [100, 50, 1, 0]) await anEnded(hoursAgo);
    await anEnded(3, stranger);
    const before = (await stats()).tasks;
    await tally();
    expect((await stats()).tasks).toEqual(before);
    expect(before.cancelled).toBe(4);
    // What ended a moment ago may not be seen by everybody yet.
    expect(await tallied()).toEqual([
      { tenant: 'default', status: 'cancelled', count: 3 },
      { tenant: 'somebody-else', status: 'cancelled', count: 1 },
    ]);
  });

  it('counts nothing twice when it is extended again and again, by several at once', async () => {
    for (const hoursAgo of [30, 20, 10, 1]) await anEnded(hoursAgo);
    await Promise.all(Array.from({ length: 8 }, () => extendTally(database.sql)));
    await tally();
    expect(await tallied()).toEqual([{ tenant: 'default', status: 'cancelled', count: 4 }]);
  });

  it('lets go of a task that is run again, and of one that is deleted', async () => {
    const again = await anEnded(5);
    await anEnded(24 * 40);
    await anEnded(24 * 41);
    await tally();
    await requeueEnded(database.sql, ACTOR, again);
    expect((await stats()).tasks).toMatchObject({ queued: 1, cancelled: 2 });
    expect(await deleteEnded(database.sql, 30, 100)).toBe(2);
    expect((await stats()).tasks).toMatchObject({ queued: 1, cancelled: 0 });
    expect(await tallied()).toEqual([{ tenant: 'default', status: 'cancelled', count: 0 }]);
  });

  it('agrees with the tasks while they are run again and deleted and it is extended', async () => {
    for (let round = 0; round < 15; round++) {
      const tasks = await Promise.all([2, 2, 2, 40 * 24].map((hoursAgo) => anEnded(hoursAgo)));
      await Promise.all([
        extendTally(database.sql),
        ...tasks.slice(0, 3).map((id) => requeueEnded(database.sql, ACTOR, id)),
        extendTally(database.sql),
        deleteEnded(database.sql, 30, 100),
      ]);
      await tally();
      const [real] = await database.sql`
        select count(*) as cancelled from errand.tasks where status = 'cancelled'`;
      expect((await stats()).tasks.cancelled).toBe(real?.cancelled);
      await database.sql`truncate errand.tasks cascade`;
      await database.sql`truncate errand.tallies`;
      await database.sql`update errand.tally_state set tallied_until = '-infinity'`;
    }
  });

  it('is written once a minute at most', async () => {
    await tally();
    const [before] = await database.sql`select tallied_until::text from errand.tally_state`;
    await tally();
    const [after] = await database.sql`select tallied_until::text from errand.tally_state`;
    expect(after).toEqual(before);
  });
});
