import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Sql } from '../../lib/db/connection.ts';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import { eventually } from '../support/eventually.ts';
import { type Server, startPostgres } from '../support/servers.ts';

let server: Server;
let sql: Sql;

beforeAll(async () => {
  server = await startPostgres();
  sql = connect({ url: server.url, poolMax: 4, prepare: true });
});
afterAll(async () => {
  await sql.end({ timeout: 1 });
  await server.close();
});

const errorOf = (query: PromiseLike<unknown>) =>
  query.then(
    () => undefined,
    (error: unknown) => error,
  );

/** Holds all connections of the pool open at once. */
const fillPool = () => Promise.all(Array.from({ length: 4 }, () => sql`select pg_sleep(0.05)`));

async function terminateAll(): Promise<void> {
  const killer = connect({ url: server.url, poolMax: 1, prepare: true });
  await killer`
    select pg_terminate_backend(pid) from pg_stat_activity
     where application_name = 'errand' and pid <> pg_backend_pid()`;
  await killer.end();
}

/** Sessions notice the end of their server a moment later, and answer until then. */
const allSessionsEnded = () =>
  eventually(async () => {
    const errors = await Promise.all(Array.from({ length: 4 }, () => errorOf(sql`select 1`)));
    expect(errors.every(isDatabaseUnavailable)).toBe(true);
  });

describe('connect', () => {
  it('reads a bigint as a number', async () => {
    expect(await sql`select 2147483648::bigint as n`).toEqual([{ n: 2147483648 }]);
  });

  it('tells a query whose connection was terminated that the database is unavailable', async () => {
    const cut = errorOf(sql`select pg_sleep(60)`);
    await eventually(async () => {
      await terminateAll();
      expect(isDatabaseUnavailable(await Promise.race([cut, 'still running']))).toBe(true);
    });
  });

  it('heals by itself after all its connections were terminated', async () => {
    await eventually(fillPool, 2000);
    await terminateAll();
    await eventually(fillPool, 2000);
  });

  it('heals by itself after the server crashed and came back', async () => {
    await fillPool();
    const inFlight = errorOf(sql`select pg_sleep(60)`);
    await server.crash();
    expect(isDatabaseUnavailable(await inFlight)).toBe(true);
    await allSessionsEnded();
    await server.restart();
    await eventually(fillPool, 2000);
  });

  it('tells a hundred callers soon that the server is away', async () => {
    await server.crash();
    await allSessionsEnded();
    const asked = performance.now();
    const errors = await Promise.all(Array.from({ length: 100 }, () => errorOf(sql`select 1`)));
    expect(errors.filter((error) => !isDatabaseUnavailable(error))).toEqual([]);
    expect(performance.now() - asked).toBeLessThan(2000);
    await server.restart();
    await eventually(fillPool, 2000);
  });
});
