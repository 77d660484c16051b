import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { connect, type Sql } from '../../lib/db/connection.ts';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import { makeExecuteTask } from '../../lib/tasks/execute-task.ts';
import { storeTask } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { useQueue } from '../support/queue.ts';
import { quiet } from '../support/quiet.ts';
import { scriptedSandbox } from '../support/scripted-sandbox.ts';
import { type FreezingProxy, openFreezingProxy } from './freezing-proxy.ts';

const database = useDatabase();
const broker = useQueue();
let proxy: FreezingProxy;
let sql: Sql;
beforeAll(async () => {
  proxy = await openFreezingProxy(database.url);
});
beforeEach(() => {
  sql = connect({ url: proxy.url, poolMax: 2, prepare: true, deadlineMs: 3000 });
  return () => sql.end({ timeout: 0 });
});
afterAll(() => proxy.close());

describe('a connection that hangs half-open', () => {
  it('fails its statement as unavailable instead of waiting for TCP to give up', async () => {
    await sql`select 1`;
    proxy.freeze();
    const error = await sql`select 2`.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isDatabaseUnavailable(error)).toBe(true);
    expect(await sql`select 3 as n`).toEqual([{ n: 3 }]);
  });

  it('does not cut a statement that the server still works on', async () => {
    const patient = connect({ url: proxy.url, poolMax: 1, prepare: true, deadlineMs: 4000 });
    await patient`select pg_sleep(3)`;
    await patient.end();
  });

  it('costs a running command nothing: its lease is renewed over another connection', async () => {
    const sandbox = scriptedSandbox();
    const worker = { sql, queue: broker.queue, sandbox, leaseSeconds: 12, logger: quiet };
    const id = await storeTask(database.sql);
    const begun = sandbox.nextStart();
    const execution = makeExecuteTask(worker)(id, new AbortController().signal);
    const command = await begun;
    const expiry = async () => {
      const [row] = await database.sql<[{ at: Date }]>`
        select lease_expires_at as at from errand.tasks where id = ${id}`;
      return row.at.getTime();
    };
    const claimedUntil = await expiry();

    proxy.freeze();
    await eventually(async () => expect(await expiry()).toBeGreaterThan(claimedUntil), 10_000);

    command.end({ kind: 'exited', exitCode: 0 });
    expect(await execution).toBe('settled');
  });
});
