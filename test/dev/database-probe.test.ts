import { describe, expect, it } from 'vitest';
import { startHalfDeadPostgres } from './half-dead-postgres.ts';
import { runModule } from './run-module.ts';

const PROBE = new URL('../../dev/database-probe.ts', import.meta.url).href;
const POSTGRES = import.meta.resolve('postgres');

describe('askOnce', () => {
  it('rejects when the server dies under it, and leaves nothing unhandled', async () => {
    const url = await startHalfDeadPostgres();
    const { code, output } = await runModule(`
      import { askOnce } from ${JSON.stringify(PROBE)};
      await askOnce(${JSON.stringify(url)}, { connectSeconds: 2 }, (sql) => sql\`select 1\`).catch((error) => {
        console.log('rejected with', error.code);
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.log('alive');
    `);
    expect(output).toMatch(/^rejected with (ECONNREFUSED|CONNECTION_CLOSED)\nalive\n$/);
    expect(code).toBe(0);
  });

  it('is needed: a client that fetches the types ends the process', async () => {
    const url = await startHalfDeadPostgres();
    const { code, output } = await runModule(`
      import postgres from ${JSON.stringify(POSTGRES)};
      const sql = postgres(${JSON.stringify(url)}, { max: 1, connect_timeout: 2 });
      await sql\`select 1\`.catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 300));
      console.log('alive');
    `);
    expect(output).toContain('connect ECONNREFUSED');
    expect(code).toBe(1);
  });
});
