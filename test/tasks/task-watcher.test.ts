import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import { seqBefore, storeOutput } from '../../lib/tasks/output-store.ts';
import { requestCancel } from '../../lib/tasks/task-store.ts';
import { makeTaskWatcher, type TaskWatcher } from '../../lib/tasks/task-watcher.ts';
import { ACTOR, aTaskId, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useDatabase } from '../support/database.ts';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const LONG_MS = 15_000;

const database = useDatabase();
let watcher: TaskWatcher;
let wire: TcpProxy;

beforeAll(async () => {
  watcher = makeTaskWatcher({ sql: database.sql });
  wire = await openProxy(database.url);
  return () => wire.close();
});
afterEach(() => wire.mend());

async function msOf(work: Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work;
  return performance.now() - startedAt;
}

/** Counts statements, not the fragments that they are made of. */
function counting(sql: Sql): { sql: Sql; statements(): number } {
  let statements = 0;
  const counted = new Proxy(sql, {
    apply(target, self, args) {
      if (String(args[0]).startsWith('/* findArrived */')) statements += 1;
      return Reflect.apply(target, self, args);
    },
  });
  return { sql: counted, statements: () => statements };
}

describe('a task watcher', () => {
  it('tells soon that a task has ended', async () => {
    const taskId = await storeTask(database.sql);
    const waiting = watcher.wait({ taskId }, LONG_MS);
    await requestCancel(database.sql, ACTOR, taskId);
    expect(await msOf(waiting)).toBeLessThan(1000);
  });

  it('gives up after the time that was asked for', async () => {
    const taskId = await storeTask(database.sql);
    const ms = await msOf(watcher.wait({ taskId }, 150));
    expect(ms).toBeGreaterThanOrEqual(149);
    expect(ms).toBeLessThan(1000);
  });

  it('tells of output that is newer than what is known', async () => {
    const taskId = await storeTask(database.sql);
    const claim = await claimed(database.sql, taskId);
    const firstSeq = seqBefore(1) + 1;
    const store = (seq: number) =>
      storeOutput(database.sql, claim, {
        firstSeq: seq,
        chunks: [{ stream: 'stdout', bytes: Buffer.from('x') }],
      });
    await store(firstSeq);
    expect(await msOf(watcher.wait({ taskId, afterSeq: firstSeq }, 150))).toBeGreaterThan(148);
    const waiting = watcher.wait({ taskId, afterSeq: firstSeq }, LONG_MS);
    await store(firstSeq + 1);
    expect(await msOf(waiting)).toBeLessThan(1000);
  });

  it('tells of the end of an attempt, though its task goes on', async () => {
    const taskId = await storeTask(database.sql);
    await claimed(database.sql, taskId);
    const waiting = watcher.wait({ taskId, attempt: 1 }, LONG_MS);
    await database.sql`
      update errand.tasks set status = 'queued', lease_expires_at = null where id = ${taskId}`;
    expect(await msOf(waiting)).toBeLessThan(1000);
  });

  it('lets five hundred wait at once for fifty statements a second', async () => {
    const { sql, statements } = counting(database.sql);
    const many = makeTaskWatcher({ sql });
    const tasks = await Promise.all(Array.from({ length: 500 }, () => storeTask(database.sql)));
    const ms = await msOf(Promise.all(tasks.map((taskId) => many.wait({ taskId }, 1000))));
    expect(statements()).toBeGreaterThan(0);
    expect(statements()).toBeLessThanOrEqual(ms / 20 + 1);
  });

  it('holds no connection meanwhile', async () => {
    const sql = database.connect({ poolMax: 1 });
    const busy = makeTaskWatcher({ sql });
    const waiting = Array.from({ length: 50 }, () => busy.wait({ taskId: aTaskId() }, 500));
    for (let n = 0; n < 20; n++) await sql`select 1`;
    await Promise.all(waiting);
  });

  it('lets everybody go when the process is to end', async () => {
    const end = new AbortController();
    const ending = makeTaskWatcher({ sql: database.sql, shutdown: end.signal });
    const taskId = await storeTask(database.sql);
    const waiting = Promise.all([1, 2, 3].map(() => ending.wait({ taskId }, LONG_MS)));
    end.abort();
    expect(await msOf(waiting)).toBeLessThan(1000);
    expect(await msOf(ending.wait({ taskId }, LONG_MS))).toBeLessThan(1000);
  });

  it('asks nothing any more once nobody waits', async () => {
    const { sql, statements } = counting(database.sql);
    const idle = makeTaskWatcher({ sql });
    await idle.wait({ taskId: aTaskId() }, 60);
    const asked = statements();
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(statements()).toBe(asked);
  });

  it('goes on waiting while the database is away, and tells after', async () => {
    const taskId = await storeTask(database.sql);
    const wired = makeTaskWatcher({ sql: database.connect({ url: wire.url }) });
    const waiting = wired.wait({ taskId }, LONG_MS);
    await wire.cut();
    await requestCancel(database.sql, ACTOR, taskId);
    await new Promise((resolve) => setTimeout(resolve, 300));
    await wire.mend();
    expect(await msOf(waiting)).toBeLessThan(5000);
  });
});
