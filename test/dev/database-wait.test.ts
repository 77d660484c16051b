import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { untilDatabaseAnswers } from '../../dev/database-wait.ts';
import { freePort } from '../../dev/ports.ts';
import { Refusal } from '../../dev/refusal.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { openProxy, type TcpProxy } from '../support/tcp-proxy.ts';

const database = useDatabase();
const REMEDY = 'DATABASE_URL names it; without that, npm start brings a database of its own.';

/** What it said while it waited, and how it ended. */
async function wait(url: string, withinMs = 400) {
  const told: string[] = [];
  const refusal = await untilDatabaseAnswers(url, {
    onWaiting: (why) => told.push(why),
    quietMs: 0,
    withinMs,
  }).then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof Refusal) return error;
      throw error;
    },
  );
  return { told, refusal };
}

function changed(change: (url: URL) => void): string {
  const url = new URL(database.url);
  change(url);
  return url.href;
}

let proxy: TcpProxy;
beforeEach(async () => {
  proxy = await openProxy(database.url);
});
afterEach(() => proxy.close());

describe('untilDatabaseAnswers', () => {
  it('says nothing of a database that is there', async () => {
    expect(await wait(database.url)).toEqual({ told: [], refusal: undefined });
  });

  it('says at once where the connection is refused, and in the end what helps', async () => {
    const port = await freePort(undefined);
    const url = `postgres://app:s3cret@127.0.0.1:${port}/tasks`;
    const { told, refusal } = await wait(url);
    const place = `127.0.0.1:${port} (user app, database tasks)`;
    expect(told).toEqual([`${place}: the connection is refused; trying for 0.4 s in all`]);
    expect(refusal?.message).toBe(`No database at ${place}: the connection is refused.`);
    expect(refusal?.remedy).toBe(
      `Does Postgres run there, and listen on that address and port? ${REMEDY}`,
    );
    expect(`${told} ${refusal?.message} ${refusal?.remedy}`).not.toContain('s3cret');
  });

  it('says that a name does not resolve', async () => {
    const { told, refusal } = await wait('postgres://database.invalid/');
    expect(told).toEqual([
      'database.invalid:5432: its name does not resolve; trying for 0.4 s in all',
    ]);
    expect(refusal?.message).toBe(
      'No database at database.invalid:5432: its name does not resolve.',
    );
  });

  it('says that nothing answers', async () => {
    proxy.hang();
    const { refusal } = await wait(proxy.url, 100);
    expect(refusal?.message).toMatch(
      /^No database at 127\.0\.0\.1:\d+ .*: nothing answers there\.$/,
    );
  });

  it('says that what listens is no Postgres, also when it ends each connection', async () => {
    const server = createServer((socket) => socket.once('data', () => socket.destroy()));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const { refusal } = await wait(`postgres://127.0.0.1:${port}/`, 100);
    server.close();
    expect(refusal?.message).toBe(
      `No database at 127.0.0.1:${port}: what listens there does not answer as Postgres does.`,
    );
  });

  it.each<[string, (url: URL) => void, RegExp]>([
    ['the password', (url) => Object.assign(url, { password: 's3cret' }), /: it refuses the pass/],
    ['the database', (url) => Object.assign(url, { pathname: '/none' }), /: it has no such data/],
  ])('does not wait where it refuses %s', async (_what, change, complaint) => {
    const { told, refusal } = await wait(changed(change), 60_000);
    expect(told).toEqual([]);
    expect(refusal?.message).toMatch(complaint);
    expect(`${refusal?.message} ${refusal?.remedy}`).not.toContain('s3cret');
  });

  it('goes on as soon as the database is there', async () => {
    await proxy.cut();
    const late: string[] = [];
    const waiting = untilDatabaseAnswers(proxy.url, {
      quietMs: 0,
      onWaiting: (why) => late.push(why),
    });
    await eventually(() => expect(late).toHaveLength(1));
    await proxy.mend();
    await waiting;
  });
});
