import { beforeAll, describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import { storeTask } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
const APPEND_ONLY = 'errand.audit_log is append-only';
const entries = () => database.sql`select from errand.audit_log`;

type Change = (sql: Sql) => Promise<unknown>;
const changes: [string, Change][] = [
  ['change', (sql) => sql`update errand.audit_log set action = 'task.cancel'`],
  ['delete', (sql) => sql`delete from errand.audit_log`],
  ['empty', (sql) => sql`truncate errand.audit_log`],
  ['empty, with what refers to it,', (sql) => sql`truncate errand.audit_log cascade`],
];

/** Does something in another role, and takes it back. */
async function as(role: string, change: Change): Promise<void> {
  await database.sql.begin(async (tx) => {
    await tx`set local role ${tx(role)}`;
    await change(tx as unknown as Sql);
  });
}

describe('the audit log', () => {
  const plain = `errand_audit_test_${process.pid}`;

  beforeAll(async () => {
    await storeTask(database.sql);
    expect(await entries()).toHaveLength(1);
  });

  it.each(changes)('lets not even its owner, a superuser, %s an entry', async (_what, change) => {
    await expect(change(database.sql)).rejects.toThrow(APPEND_ONLY);
    expect(await entries()).toHaveLength(1);
  });

  it('refuses to change no entry at all as well: there is no reason to try', async () => {
    const { sql } = database;
    await expect(sql`delete from errand.audit_log where false`).rejects.toThrow(APPEND_ONLY);
    await expect(
      sql`
      insert into errand.audit_log (id, tenant, action, subject, request_id)
      overriding system value select id, 'x', 'x', 'x', 'x' from errand.audit_log
      on conflict (id) do update set tenant = 'x'`,
    ).rejects.toThrow(APPEND_ONLY);
  });

  it('takes entries of a role that may only write them, and lets it do nothing else', async () => {
    const { sql } = database;
    const role = sql(plain);
    await sql`create role ${role}`;
    try {
      await sql`grant usage on schema errand to ${role}`;
      await sql`grant insert on errand.audit_log to ${role}`;
      await as(
        plain,
        (tx) => tx`
        insert into errand.audit_log (tenant, action, subject, request_id)
        values ('acme', 'task.create', 'x', 'x')`,
      );
      for (const [, change] of changes) {
        await expect(as(plain, change)).rejects.toThrow('permission denied');
      }
      expect(await entries()).toHaveLength(2);
    } finally {
      await sql`drop owned by ${role}`;
      await sql`drop role ${role}`;
    }
  });
});
