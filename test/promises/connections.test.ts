import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connect, type Sql } from '../../lib/db/connection.ts';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
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

describe('a pool whose server crashes under load', () => {
  it('gives every question its own answer or an error, and is itself again at once', async () => {
    for (let crash = 0; crash < 6; crash++) {
      let asked = 0;
      const wrong: unknown[] = [];
      const stop = new AbortController();
      // The next question follows in the same instant in which the last one fails: that is when
      // the driver gave questions to connections that were about to close.
      const ask = async () => {
        while (!stop.signal.aborted) {
          asked += 1;
          const question = asked;
          try {
            const rows = await sql`select ${question}::int as answer`;
            if (rows[0]?.answer !== question) wrong.push({ question, rows });
          } catch (error) {
            if (!isDatabaseUnavailable(error)) wrong.push(error);
          }
        }
      };
      const asking = Promise.all(Array.from({ length: 12 }, ask));
      await delay(50);
      await server.crash();
      await server.restart();
      await delay(50);
      stop.abort();
      const stoppedAt = performance.now();
      await asking;
      expect(wrong).toEqual([]);
      expect(performance.now() - stoppedAt).toBeLessThan(2000);
    }
  }, 60_000);
});
