import { describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import { urlOf, useDatabase } from '../support/database.ts';

const database = useDatabase();

async function errorOf(query: PromiseLike<unknown>): Promise<unknown> {
  try {
    await query;
  } catch (error) {
    return error;
  }
  throw new Error('the query was expected to fail');
}

/** Runs a statement on a connection of its own with small limits. */
async function withLimit(setting: string, query: string): Promise<unknown> {
  const sql = database.connect({ poolMax: 1 });
  await sql.unsafe(`set ${setting} = '50ms'`);
  return errorOf(sql.unsafe(query));
}

describe('isDatabaseUnavailable', () => {
  it('is true when nobody listens', async () => {
    const url = `postgres://a@127.0.0.1:${await freePort(undefined)}/b`;
    const error = await errorOf(database.connect({ url })`select 1`);
    expect(error).toMatchObject({ code: 'ECONNREFUSED' });
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('is true when the host has no address', async () => {
    const error =
      await errorOf(database.connect({ url: 'postgres://a@no.such.invalid/b' })`select 1`);
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('is true when the database is not there yet', async () => {
    const error = await errorOf(database.connect({ url: urlOf('not_yet') })`select 1`);
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('is true when the tables are not there yet', async () => {
    expect(isDatabaseUnavailable(await errorOf(database.sql`select from errand.not_yet`))).toBe(
      true,
    );
    expect(isDatabaseUnavailable(await errorOf(database.sql`select from not_yet.tasks`))).toBe(
      true,
    );
  });

  it('is true when a statement takes longer than it may', async () => {
    const error = await withLimit('statement_timeout', 'select pg_sleep(60)');
    expect(error).toMatchObject({ code: '57014' });
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('is true when a lock is held for longer than we wait', async () => {
    const held = Promise.withResolvers<void>();
    const released = Promise.withResolvers<void>();
    const holder = database.sql.begin(async (tx) => {
      await tx`lock table errand.tasks`;
      held.resolve();
      await released.promise;
    });
    await held.promise;
    const error = await withLimit('lock_timeout', 'select from errand.tasks');
    released.resolve();
    await holder;
    expect(error).toMatchObject({ code: '55P03' });
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('is true for the loser of a deadlock, which may try again', async () => {
    const error = Object.assign(new Error('deadlock detected'), { code: '40P01' });
    expect(isDatabaseUnavailable(error)).toBe(true);
  });

  it('is false for a wrong password, which waiting does not mend', async () => {
    const url = new URL(database.url);
    url.password = 'wrong';
    const error = await errorOf(database.connect({ url: url.href })`select 1`);
    expect(error).toMatchObject({ code: '28P01' });
    expect(isDatabaseUnavailable(error)).toBe(false);
  });

  it('is false for our own mistakes', async () => {
    expect(isDatabaseUnavailable(await errorOf(database.sql`selekt 1`))).toBe(false);
    expect(isDatabaseUnavailable(await errorOf(database.sql`select 1/0`))).toBe(false);
    expect(isDatabaseUnavailable(new TypeError('x is not a function'))).toBe(false);
    expect(isDatabaseUnavailable(undefined)).toBe(false);
  });
});
