import { beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { connect, type Sql } from '../../lib/db/connection.ts';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import { makeExecuteTask } from '../../lib/tasks/execute-task.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { findIllegalStates, findIllegalSteps, recordHistory } from '../../scripts/chaos/history.ts';
import { aTask, storeTask } from '../support/a-task.ts';
import { creator } from '../support/create.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { useQueue } from '../support/queue.ts';
import { quiet } from '../support/quiet.ts';
import { theTask } from '../support/rows.ts';
import { type ScriptedSandbox, scriptedSandbox } from '../support/scripted-sandbox.ts';
import { openProxy } from '../support/tcp-proxy.ts';
import { moves } from './moves.ts';

const database = useDatabase();
const broker = useQueue();
let watcher: Sql;
beforeAll(async () => {
  watcher = database.connect();
  await recordHistory(watcher);
});
beforeEach(async () => {
  await watcher`truncate errand.tasks, audit.steps cascade`;
});

const EXITED = { kind: 'exited', exitCode: 0 } as const;
const never = new AbortController().signal;

interface WorkerOptions {
  readonly sql: Sql;
  readonly leaseSql?: Sql;
  readonly sandbox: ScriptedSandbox;
  readonly leaseSeconds?: number;
}

const aWorker = ({ leaseSeconds = 3, ...options }: WorkerOptions) =>
  makeExecuteTask({ ...options, leaseSeconds, queue: broker.queue, logger: quiet });

/** Starts a command on a worker and returns once it runs. */
async function start(worker: ReturnType<typeof aWorker>, sandbox: ScriptedSandbox, id: TaskId) {
  const begun = sandbox.nextStart();
  const execution = worker(id, never);
  execution.catch(() => {});
  return { command: await begun, execution };
}

async function leaseOf(id: TaskId): Promise<number> {
  const [row] = await watcher<[{ at: Date }]>`
    select lease_expires_at as at from errand.tasks where id = ${id}`;
  return row.at.getTime();
}

/** The lease is renewed once more from now on. */
async function expectRenewal(id: TaskId): Promise<void> {
  const until = await leaseOf(id);
  await eventually(async () => expect(await leaseOf(id)).toBeGreaterThan(until), 4000);
}

describe('a row that somebody holds for long', () => {
  it('does not cost the worker the leases of its other commands', async () => {
    const sandbox = scriptedSandbox();
    const worker = aWorker({ sql: database.connect(), sandbox });
    const [held, other] = [await storeTask(watcher), await storeTask(watcher)];
    const onHeld = await start(worker, sandbox, held);
    const onOther = await start(worker, sandbox, other);

    await watcher.begin(async (holder) => {
      await holder`select from errand.tasks where id = ${held} for update`;
      for (let lease = 0; lease < 3; lease++) await expectRenewal(other);
      // Nobody could renew this one, so its command is given up, and nothing else.
      expect(onHeld.command.signal.aborted).toBe(true);
      expect(onOther.command.signal.aborted).toBe(false);
    });
    onOther.command.end(EXITED);
    expect([await onHeld.execution, await onOther.execution]).toEqual(['superseded', 'settled']);
  });

  it('is passed over by the rescue, which goes on with the others', async () => {
    const [held, other] = [await storeTask(watcher), await storeTask(watcher)];
    for (const id of [held, other]) await moves.claim(watcher, { id, attempt: 0 });
    await watcher`update errand.tasks set lease_expires_at = now() - interval '1 second'`;
    await watcher.begin(async (holder) => {
      await holder`select from errand.tasks where id = ${held} for update`;
      expect(await moves.rescue(database.sql)).toMatchObject({ owed: [{ taskId: other }] });
    });
    expect(await moves.rescue(database.sql)).toMatchObject({ owed: [{ taskId: held }] });
  });
});

describe('a pool without a free connection', () => {
  it('does not cost a worker its leases', async () => {
    const sql = database.connect({ poolMax: 2 });
    const sandbox = scriptedSandbox();
    const worker = aWorker({ sql, leaseSql: database.connect({ poolMax: 2 }), sandbox });
    const id = await storeTask(watcher);
    const { command, execution } = await start(worker, sandbox, id);

    const busy = Promise.all(Array.from({ length: 4 }, () => sql`select pg_sleep(2.5)`));
    await expectRenewal(id);
    await expectRenewal(id);
    await expectRenewal(id);
    expect(command.signal.aborted).toBe(false);
    command.end(EXITED);
    await busy;
    expect(await execution).toBe('settled');
  });

  it('ends the wait of a statement with an error that says "later"', async () => {
    const sql = connect({ url: database.url, poolMax: 1, prepare: true, deadlineMs: 2000 });
    const busy = Promise.all([1, 2, 3].map(() => sql`select pg_sleep(1)`.execute()));
    const waiting = await sql`select 1`.catch((error: unknown) => error);
    expect(isDatabaseUnavailable(waiting)).toBe(true);
    await busy;
    await sql.end();
  });
});

function onlyUnavailable(error: unknown): void {
  if (!isDatabaseUnavailable(error)) throw error;
}

describe('connections that are terminated again and again', () => {
  it('settle a command once, and lose no task that was accepted', async () => {
    const sql = database.connect({ poolMax: 4 });
    const sandbox = scriptedSandbox();
    const worker = aWorker({ sql, sandbox, leaseSeconds: 30 });
    const createTask = creator({ sql, queue: broker.queue, logger: quiet });
    const first = await storeTask(watcher);
    const { command, execution } = await start(worker, sandbox, first);

    const stopAt = performance.now() + 2000;
    const accepted: TaskId[] = [];
    const terminate = async () => {
      while (performance.now() < stopAt) {
        // It hits connections of its own pool as well.
        await watcher`
          select pg_terminate_backend(pid) from pg_stat_activity
           where datname = current_database() and pid <> pg_backend_pid()
             and application_name = 'errand'`.catch(onlyUnavailable);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const submit = async () => {
      while (performance.now() < stopAt) {
        const task = await createTask(aTask()).catch(onlyUnavailable);
        if (task) accepted.push(task.id);
      }
    };
    setTimeout(() => command.end(EXITED), 1000);
    await Promise.all([terminate(), submit(), submit(), submit()]);

    expect(await execution).toMatch(/settled|superseded/);
    await eventually(async () => expect((await theTask(watcher, first)).status).toBe('succeeded'));
    const stored = await watcher<{ id: TaskId }[]>`select id from errand.tasks`;
    expect(stored.map(({ id }) => id)).toEqual(expect.arrayContaining(accepted));
    expect(accepted.length).toBeGreaterThan(0);
    expect(await findIllegalSteps(watcher)).toEqual([]);
    expect(await findIllegalStates(watcher)).toEqual([]);
  });
});

describe('an outage longer than the lease', () => {
  it('does not cost the result of a command that ended in it', async () => {
    const proxy = await openProxy(database.url);
    const sandbox = scriptedSandbox();
    const worker = aWorker({ sql: database.connect({ url: proxy.url }), sandbox, leaseSeconds: 2 });
    const id = await storeTask(watcher);
    const { command, execution } = await start(worker, sandbox, id);

    await proxy.cut();
    command.end(EXITED);
    await eventually(async () => expect(await leaseOf(id)).toBeLessThan(Date.now() - 500));
    await proxy.mend();

    expect(await execution).toBe('settled');
    expect(await theTask(watcher, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    await proxy.close();
  });

  it('ends a command that still runs before somebody else may start it', async () => {
    const proxy = await openProxy(database.url);
    const sandbox = scriptedSandbox();
    const worker = aWorker({ sql: database.connect({ url: proxy.url }), sandbox, leaseSeconds: 2 });
    const id = await storeTask(watcher);
    const { command, execution } = await start(worker, sandbox, id);
    const until = await leaseOf(id);

    await proxy.cut();
    await eventually(() => expect(command.signal.aborted).toBe(true));
    expect(Date.now()).toBeLessThan(until);
    expect(await execution).toBe('superseded');
    await proxy.close();
  });
});

describe('a worker that is told to stop', () => {
  it('starts no command any more, and owes the message again', async () => {
    const sandbox = scriptedSandbox();
    const id = await storeTask(watcher, { onWorkerLost: 'fail' });
    const execution = aWorker({ sql: database.sql, sandbox })(id, AbortSignal.abort());
    expect(await execution).toBe('skipped');
    expect(sandbox.started).toEqual([]);
    expect(await theTask(watcher, id)).toMatchObject({ status: 'queued', attempt: 0 });
    const owed = await watcher`select task_id from errand.outbox`;
    expect(owed).toEqual([{ task_id: id }]);
  });
});

describe('a clock that jumps in the worker', () => {
  it.each([-86_400_000, 86_400_000])('moves no lease (%i ms)', async (jumpMs) => {
    const sandbox = scriptedSandbox();
    const worker = aWorker({ sql: database.connect(), sandbox, leaseSeconds: 3 });
    const id = await storeTask(watcher);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + jumpMs });
    try {
      const { command, execution } = await start(worker, sandbox, id);
      vi.setSystemTime(Date.now() - 2 * jumpMs);
      await expectRenewal(id);
      const [lease] = await watcher<[{ seconds: number }]>`
        select extract(epoch from lease_expires_at - now())::float8 as seconds
          from errand.tasks where id = ${id}`;
      expect(lease.seconds).toBeGreaterThan(0);
      expect(lease.seconds).toBeLessThan(3);
      expect(command.signal.aborted).toBe(false);
      command.end(EXITED);
      expect(await execution).toBe('settled');
    } finally {
      vi.useRealTimers();
    }
  });
});
