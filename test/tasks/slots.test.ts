import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import { type Claim, claimTask, settleAttempt } from '../../lib/tasks/attempt-store.ts';
import { makeExecuteTask } from '../../lib/tasks/execute-task.ts';
import { makeRescueTasks } from '../../lib/tasks/rescue-tasks.ts';
import { isSlotTaken, parkTask, unparkWhereFree } from '../../lib/tasks/slots.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel } from '../../lib/tasks/task-store.ts';
import { abandonHeld, countDue } from '../../lib/tasks/upkeep-store.ts';
import { mostAtOnce, recordHistory } from '../../scripts/chaos/history.ts';
import { FAILED, NO_OUTPUT, SUCCEEDED } from '../promises/settlements.ts';
import { ACTOR, expireLease, storeTask, TENANT } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { eventually } from '../support/eventually.ts';
import { scriptedSandbox } from '../support/scripted-sandbox.ts';
import { useSystem } from '../support/use-cases.ts';

const CAP = 2;

const system = useSystem();
const { database, broker } = system;
const stranger = 'somebody-else' as Tenant;

beforeAll(() => recordHistory(database.sql));
beforeEach(async () => {
  await database.sql`truncate errand.tasks, audit.steps cascade`;
  await broker.purge();
});

async function storeMany(count: number, tenant: Tenant = TENANT): Promise<TaskId[]> {
  const ids: TaskId[] = [];
  for (let n = 0; n < count; n++) ids.push(await storeTask(database.sql, {}, tenant));
  return ids;
}

const claim = (id: TaskId, cap = CAP) =>
  claimTask(database.sql, id, { leaseSeconds: 30, sandboxTier: 'none', cap });

/** Claims as many as may run, and parks the others. */
async function claimOrPark(ids: readonly TaskId[]): Promise<{ claims: Claim[]; parked: TaskId[] }> {
  const claims: Claim[] = [];
  const parked: TaskId[] = [];
  for (const id of ids) {
    const taken = await claim(id);
    if (taken) claims.push(taken);
    else if (await parkTask(database.sql, id, CAP)) parked.push(id);
  }
  return { claims, parked };
}

const settle = (taken: Claim | undefined) => {
  if (!taken) throw new Error('nothing to settle');
  return settleAttempt(database.sql, taken, SUCCEEDED, NO_OUTPUT);
};

const unpark = (cap = CAP) => unparkWhereFree(database.sql, { cap, limit: 100 });

async function parkedNow(): Promise<TaskId[]> {
  const rows = await database.sql<{ id: TaskId }[]>`
    select id from errand.tasks where parked_at is not null order by parked_at`;
  return rows.map(({ id }) => id);
}

describe('a cap on the running tasks of a tenant', () => {
  it('lets so many run, and parks the next one', async () => {
    const ids = await storeMany(4);
    const { claims, parked } = await claimOrPark(ids);
    expect(claims.map(({ taskId }) => taskId)).toEqual(ids.slice(0, 2));
    expect(parked).toEqual(ids.slice(2));
  });

  it('is of no concern to another tenant', async () => {
    await claimOrPark(await storeMany(3));
    const [other] = await storeMany(1, stranger);
    expect(other && (await claim(other))).toMatchObject({ attempt: 1 });
  });

  it('is exact when forty workers claim at once', async () => {
    const ids = await storeMany(40);
    const claims = await Promise.all(
      ids.map(async (id) => {
        for (;;) {
          try {
            return await claim(id, 5);
          } catch (error) {
            if (!isSlotTaken(error)) throw error;
          }
        }
      }),
    );
    expect(claims.filter(Boolean)).toHaveLength(5);
    const running = await database.sql`select slot from errand.tasks where slot is not null`;
    expect(running.map(({ slot }) => slot).sort()).toEqual([1, 2, 3, 4, 5]);
  });

  it('parks no task that could run, is not due, or is running', async () => {
    const [free, running] = await storeMany(2);
    if (!free || !running) throw new Error('no tasks');
    expect(await parkTask(database.sql, free, CAP)).toBe(false);
    await claim(running);
    expect(await parkTask(database.sql, running, 1)).toBe(false);
    const later = await storeTask(database.sql, { delaySeconds: 60 });
    expect(await parkTask(database.sql, later, 1)).toBe(false);
  });

  it('gives the slot of an ended task to the one that was parked first', async () => {
    const { claims, parked } = await claimOrPark(await storeMany(4));
    const settled = await settle(claims[0]);
    expect(settled?.owed).toMatchObject([{ taskId: parked[0], tenant: TENANT, delaySeconds: 0 }]);
    expect(await parkedNow()).toEqual([parked[1]]);
    expect(parked[0] && (await claim(parked[0]))).toMatchObject({ attempt: 1 });
  });

  it('wakes nobody of another tenant, and nobody when no slot was held', async () => {
    const { claims } = await claimOrPark(await storeMany(3));
    const [other] = await storeMany(1, stranger);
    const free = other && (await claim(other));
    expect((await settle(free))?.owed).toEqual([]);
    await database.sql`update errand.tasks set slot = null where id = ${claims[0]?.taskId ?? null}`;
    expect((await settle(claims[0]))?.owed).toEqual([]);
  });

  it('lets a parked task be cancelled', async () => {
    const { claims, parked } = await claimOrPark(await storeMany(3));
    expect(parked[0] && (await requestCancel(database.sql, ACTOR, parked[0]))).toBe('cancelled');
    expect(await parkedNow()).toEqual([]);
    expect((await settle(claims[0]))?.owed).toEqual([]);
  });

  it('is no reason to send a message again: a parked task is not forgotten', async () => {
    await claimOrPark(await storeMany(5));
    await database.sql`
      update errand.tasks set run_at = now() - interval '1 hour' where status = 'queued'`;
    expect(await countDue(database.sql, 100)).toBe(0);
    expect(await makeRescueTasks({ ...system.deps, tenantMaxRunning: CAP })()).toEqual({
      lost: 0,
      forgotten: 0,
    });
    expect(await broker.drain()).toEqual([]);
  });

  it('is freed of a lost worker by the rescue, which wakes the next one too', async () => {
    const { claims, parked } = await claimOrPark(await storeMany(3));
    const lost = claims[0]?.taskId as TaskId;
    await expireLease(database.sql, lost);
    await makeRescueTasks({ ...system.deps, tenantMaxRunning: CAP })();
    const messages = (await broker.drain()) as { taskId: TaskId }[];
    expect(messages.map(({ taskId }) => taskId).sort()).toEqual([lost, ...parked].sort());
  });

  it('is freed of a task that is given back', async () => {
    const { claims, parked } = await claimOrPark(await storeMany(3));
    await abandonHeld(database.sql, claims[0] as Claim);
    expect(await unpark()).toMatchObject([{ taskId: parked[0] }]);
  });

  it('lets a woken task keep its place in line when another one takes its slot', async () => {
    const { claims, parked } = await claimOrPark(await storeMany(4));
    await settle(claims[0]);
    const [fresh] = await storeMany(1);
    const barged = fresh && (await claim(fresh));
    expect(barged).toMatchObject({ attempt: 1 });
    expect(parked[0] && (await parkTask(database.sql, parked[0], CAP))).toBe(true);
    expect((await settle(barged))?.owed).toMatchObject([{ taskId: parked[0] }]);
  });

  it('gives the slot of a command that failed to the next one while the retry waits', async () => {
    const retried = await storeTask(database.sql, { maxAttempts: 2, retryDelaySeconds: 3600 });
    const { claims, parked } = await claimOrPark([retried, ...(await storeMany(2))]);
    const settled = await settleAttempt(database.sql, claims[0] as Claim, FAILED, NO_OUTPUT);
    expect(settled?.owed.map(({ taskId }) => taskId)).toEqual([retried, ...parked]);
    expect(await parkTask(database.sql, retried, 1)).toBe(false);
  });

  it('is of no concern to a worker without one, which may run a parked task', async () => {
    const { parked } = await claimOrPark(await storeMany(3));
    const uncapped = await claimed(database.sql, parked[0] as TaskId);
    expect(await parkedNow()).toEqual([]);
    expect((await settle(uncapped))?.owed).toEqual([]);
  });

  it('wakes the parked tasks of every tenant that has a slot free', async () => {
    const tenants = ['a', 'b', 'c'] as Tenant[];
    const woken: TaskId[] = [];
    for (const tenant of tenants) {
      const { claims, parked } = await claimOrPark(await storeMany(4, tenant));
      if (tenant === 'b') continue;
      await database.sql`
        update errand.tasks set slot = null where id = ${claims[0]?.taskId ?? null}`;
      woken.push(parked[0] as TaskId);
    }
    expect((await unpark()).map(({ taskId }) => taskId).sort()).toEqual(woken.sort());
  });

  it('wakes no more than fit in one run of the rescue, however many are parked', async () => {
    const many = 501;
    await database.sql`
      insert into errand.tasks (id, command, timeout_seconds, memory_mb, limits, parked_at, nudge_at)
      select gen_random_uuid(), 'true', 1, 1, '{}', now(), 'infinity'
        from generate_series(1, ${2 * many})`;
    await makeRescueTasks({ ...system.deps, tenantMaxRunning: many })();
    expect((await parkedNow()).length).toBeGreaterThanOrEqual(many);
    await makeRescueTasks(system.deps)();
    expect(await parkedNow()).toEqual([]);
  });

  it('lets as many go on as fit when it is raised, and all of them when it is lifted', async () => {
    const { parked } = await claimOrPark(await storeMany(8));
    expect((await unpark(4)).map(({ taskId }) => taskId)).toEqual(parked.slice(0, 2));
    const lifted = await unparkWhereFree(database.sql, { cap: undefined, limit: 100 });
    expect(lifted.map(({ taskId }) => taskId).sort()).toEqual(parked.slice(2).sort());
    expect(await parkedNow()).toEqual([]);
  });

  it('wakes each parked task once when many settle at once', async () => {
    const { claims, parked } = await claimOrPark(await storeMany(4));
    const settled = await Promise.all(claims.map(settle));
    const woken = settled.flatMap((end) => end?.owed ?? []).map(({ taskId }) => taskId);
    expect(woken.sort()).toEqual(parked.sort());
  });
});

describe('a worker with a cap', () => {
  const worker = () => {
    const sandbox = scriptedSandbox();
    const deps = { ...system.deps, sandbox, leaseSeconds: 30, tenantMaxRunning: CAP };
    return { sandbox, executeTask: makeExecuteTask(deps) };
  };
  const never = new AbortController().signal;
  const exited = { kind: 'exited', exitCode: 0 } as const;

  it.each([
    ['before it parks the task', 'with claimed as'],
    ['while it parks the task, so that nobody saw it there', 'set parked_at = now()'],
  ])('sees a slot that came free %s', async (_when, statement) => {
    const { claims } = await claimOrPark(await storeMany(2));
    const late = await storeTask(database.sql);
    const sql = new Proxy(database.sql, {
      apply(target, self, args) {
        const query = Reflect.apply(target, self, args);
        if (!String(args[0]).includes(statement)) return query;
        return query.then(async (rows: unknown) => {
          await database.sql`
            update errand.tasks set slot = null where id = ${claims[0]?.taskId ?? null}`;
          return rows;
        });
      },
    });
    const deps = { ...system.deps, sql, sandbox: scriptedSandbox(), leaseSeconds: 30 };
    const executeTask = makeExecuteTask({ ...deps, tenantMaxRunning: CAP });
    expect(await executeTask(late, never)).toBe('skipped');
    expect(await broker.drain()).toEqual([{ taskId: late }]);
    expect(await parkedNow()).toEqual([]);
  });

  it('answers no second message of a parked task with a third one', async () => {
    const { executeTask } = worker();
    const { parked } = await claimOrPark(await storeMany(3));
    expect(await executeTask(parked[0] as TaskId, never)).toBe('skipped');
    expect(await broker.drain()).toEqual([]);
    expect(await parkedNow()).toEqual(parked);
  });

  it('wakes the next one when the message of a woken task that was cancelled arrives', async () => {
    const { executeTask } = worker();
    const { claims, parked } = await claimOrPark(await storeMany(4));
    await settle(claims[0]);
    await requestCancel(database.sql, ACTOR, parked[0] as TaskId);
    expect(await executeTask(parked[0] as TaskId, never)).toBe('skipped');
    expect(await broker.drain()).toEqual([{ taskId: parked[1] }]);
  });

  it('wakes the next one when it gives up a task that was to be cancelled', async () => {
    const { sandbox, executeTask } = worker();
    const [first, second, third] = await storeMany(3);
    const shutdown = new AbortController();
    const execution = executeTask(first as TaskId, shutdown.signal);
    await sandbox.nextStart();
    await claimOrPark([second, third] as TaskId[]);
    await requestCancel(database.sql, ACTOR, first as TaskId);
    shutdown.abort();
    await execution;
    expect(await broker.drain()).toEqual([{ taskId: third }]);
  });

  it('owes a task a new message when others take every slot that it has chosen', async () => {
    const late = await storeTask(database.sql);
    const taken = Object.assign(new Error('duplicate key'), {
      constraint_name: 'tasks_one_per_slot',
    });
    const sql = new Proxy(database.sql, {
      apply: (target, self, args) =>
        String(args[0]).includes('with claimed as')
          ? Promise.reject(taken)
          : Reflect.apply(target, self, args),
    });
    const deps = { ...system.deps, sql, sandbox: scriptedSandbox(), leaseSeconds: 30 };
    const executeTask = makeExecuteTask({ ...deps, tenantMaxRunning: CAP });
    expect(await executeTask(late, never)).toBe('skipped');
    expect(await broker.drain()).toEqual([{ taskId: late }]);
  });

  it('runs the one task of a tenant at once, though another has two hundred', async () => {
    const { sandbox, executeTask } = worker();
    const flood = await storeMany(200);
    const [lonely] = await storeMany(1, stranger);
    const running: Promise<unknown>[] = [];
    for (const id of [...flood, lonely as TaskId]) {
      const execution = executeTask(id, never);
      running.push(execution);
      // The next message is taken when this one is parked, or its command has been started.
      await Promise.race([execution, sandbox.nextStart()]);
    }
    expect(sandbox.started).toHaveLength(CAP + 1);
    const [other] = await database.sql`
      select status from errand.tasks where tenant = ${stranger}`;
    expect(other).toEqual({ status: 'running' });

    // And the flood comes to its end, two at a time, by what settling wakes.
    let ended = 0;
    await eventually(async () => {
      for (; ended < sandbox.started.length; ended++) sandbox.started[ended]?.end(exited);
      const messages = (await broker.drain()) as { taskId: TaskId }[];
      running.push(...messages.map(({ taskId }) => executeTask(taskId, never)));
      const [left] = await database.sql`
        select count(*) as tasks from errand.tasks where status <> 'succeeded'`;
      expect(left).toEqual({ tasks: 0 });
    }, 60_000);
    await Promise.all(running);
    expect(await mostAtOnce(database.sql)).toBe(CAP);
  }, 90_000);
});
