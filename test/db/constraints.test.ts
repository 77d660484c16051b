import { describe, expect, it } from 'vitest';
import type { Sql } from '../../lib/db/connection.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { aTaskId, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useDatabase } from '../support/database.ts';
import { storeKey } from '../support/keys.ts';

const database = useDatabase();

type Violation = (sql: Sql, task: TaskId) => Promise<unknown>;

/** Each statement breaks the one constraint that it is filed under, on a queued task. */
const onQueuedTask: Record<string, Violation> = {
  tasks_pkey: (sql, task) => sql`
    insert into errand.tasks (id, command, timeout_seconds, memory_mb, limits) values (${task}, 'x', 1, 1, '{}')`,
  tasks_status_known: (sql, task) =>
    sql`update errand.tasks set status = 'lost' where id = ${task}`,
  tasks_on_worker_lost_known: (sql, task) =>
    sql`update errand.tasks set on_worker_lost = 'ask' where id = ${task}`,
  tasks_attempts_left: (sql, task) =>
    sql`update errand.tasks set attempts_left = 2 where id = ${task}`,
  tasks_one_program: (sql, task) => sql`update errand.tasks set argv = '{true}' where id = ${task}`,
  tasks_lease_while_running: (sql, task) =>
    sql`update errand.tasks set lease_expires_at = now() where id = ${task}`,
  tasks_finished_when_ended: (sql, task) =>
    sql`update errand.tasks set finished_at = now() where id = ${task}`,
  tasks_failure_when_failed: (sql, task) => sql`
    update errand.tasks set failure_code = 'timed_out', failure_message = 'x' where id = ${task}`,
  tasks_failure_explained: (sql, task) =>
    sql`update errand.tasks set failure_message = 'x' where id = ${task}`,
  tasks_started_with_attempt: (sql, task) =>
    sql`update errand.tasks set attempt = 1 where id = ${task}`,
  tasks_slot_while_running: (sql, task) => sql`update errand.tasks set slot = 1 where id = ${task}`,
  attempts_task: (sql) => sql`
    insert into errand.attempts (task_id, number, sandbox_tier) values (${aTaskId()}, 1, 'none')`,
  outbox_pkey: (sql, task) => sql`
    insert into errand.outbox (id, task_id, due_at, relay_at) overriding system value
    values (7, ${task}, now(), now()), (7, ${task}, now(), now())`,
  outbox_task: (sql) =>
    sql`
    insert into errand.outbox (task_id, due_at, relay_at) values (${aTaskId()}, now(), now())`,
  output_chunks_pkey: (sql, task) => sql`
    insert into errand.output_chunks (task_id, seq, stream, bytes)
    values (${task}, 7, 'stdout', 'x'), (${task}, 7, 'stderr', 'x')`,
  output_chunks_task: (sql) => sql`
    insert into errand.output_chunks (task_id, seq, stream, bytes)
    values (${aTaskId()}, 1, 'stdout', 'x')`,
  output_chunks_stream_known: (sql, task) => sql`
    insert into errand.output_chunks (task_id, seq, stream, bytes) values (${task}, 1, 'log', 'x')`,
  idempotency_keys_pkey: (sql, task) => sql`
    insert into errand.idempotency_keys (tenant, key, position, request_hash, task_id)
    values ('a', 'k', 1, 'x', ${task}), ('a', 'k', 1, 'y', ${task})`,
  idempotency_keys_task: (sql) => sql`
    insert into errand.idempotency_keys (tenant, key, position, request_hash, task_id)
    values ('a', 'k', 1, 'x', ${aTaskId()})`,
  task_labels_pkey: (sql, task) => sql`
    insert into errand.task_labels (tenant, key, value, created_at, task_id)
    values ('a', 'k', 'v', 'epoch', ${task}), ('a', 'k', 'v', 'epoch', ${task})`,
  task_labels_task: (sql) => sql`
    insert into errand.task_labels (tenant, key, value, created_at, task_id)
    values ('a', 'k', 'v', 'epoch', ${aTaskId()})`,
  tallies_pkey: (sql) => sql`
    insert into errand.tallies (tenant, status, count) values ('a', 'failed', 1), ('a', 'failed', 1)`,
  tally_state_pkey: (sql) => sql`insert into errand.tally_state (tallied_until) values (now())`,
  tally_state_one_row: (sql) =>
    sql`insert into errand.tally_state (id, tallied_until) values (false, now())`,
  audit_log_pkey: (sql) => sql`
    insert into errand.audit_log (id, tenant, action, subject, request_id)
    overriding system value
    values (7, 'a', 'x', 'x', 'x'), (7, 'a', 'x', 'x', 'x')`,
  api_keys_pkey: (sql) => sql`
    insert into errand.api_keys (id, tenant, name, scopes, secret_hash)
    select ${aTaskId()}, 'a', 'x', '{read}', sha256('x') from generate_series(1, 2)`,
  api_keys_scopes_known: async (sql) =>
    sql`update errand.api_keys set scopes = '{read,root}' where id = ${await aKey(sql)}`,
  api_keys_hashes_are_sha256: async (sql) =>
    sql`update errand.api_keys set secret_hash = 'plain' where id = ${await aKey(sql)}`,
  api_keys_previous_ends: async (sql) =>
    sql`update errand.api_keys set previous_hash = sha256('x') where id = ${await aKey(sql)}`,
  api_keys_rate_with_burst: async (sql) =>
    sql`update errand.api_keys set requests_per_minute = 1 where id = ${await aKey(sql)}`,
  api_keys_rate_positive: async (sql) => sql`
    update errand.api_keys set requests_per_minute = 0, burst = 1 where id = ${await aKey(sql)}`,
  rate_limits_pkey: async (sql) => sql`
    insert into errand.rate_limits (key_id, full_at, granted)
    select ${await aKey(sql)}, now(), true from generate_series(1, 2)`,
  rate_limits_key: (sql) => sql`
    insert into errand.rate_limits (key_id, full_at, granted) values (${aTaskId()}, now(), true)`,
};

const aKey = async (sql: Sql) => (await storeKey(sql)).id;

/** The same, on a task whose first attempt runs. */
const onRunningTask: Record<string, Violation> = {
  tasks_parked_while_queued: (sql, task) =>
    sql`update errand.tasks set parked_at = now() where id = ${task}`,
  attempts_pkey: (sql, task) => sql`
    insert into errand.attempts (task_id, number, sandbox_tier) values (${task}, 1, 'none')`,
  attempts_status_known: (sql, task) =>
    sql`update errand.attempts set status = 'queued', finished_at = now() where task_id = ${task}`,
  attempts_finished_when_ended: (sql, task) =>
    sql`update errand.attempts set finished_at = now() where task_id = ${task}`,
  attempts_exit_or_signal: (sql, task) =>
    sql`update errand.attempts set exit_code = 1, signal = 'SIGKILL' where task_id = ${task}`,
  attempts_failure_when_failed: (sql, task) =>
    sql`update errand.attempts set failure_code = 'timed_out' where task_id = ${task}`,
};

describe('the database', () => {
  it.each(Object.entries(onQueuedTask))('upholds %s', async (constraint, violate) => {
    const task = await storeTask(database.sql);
    await expect(violate(database.sql, task)).rejects.toMatchObject({
      constraint_name: constraint,
    });
  });

  it.each(Object.entries(onRunningTask))('upholds %s', async (constraint, violate) => {
    const task = await storeTask(database.sql);
    await claimed(database.sql, task);
    await expect(violate(database.sql, task)).rejects.toMatchObject({
      constraint_name: constraint,
    });
  });

  it('has no other constraints than those tried here', async () => {
    const rows = await database.sql<{ name: string }[]>`
      select conname as name from pg_constraint
       where connamespace = 'errand'::regnamespace and contype <> 'n'
         and conrelid <> 'errand.migrations'::regclass`;
    const tried = [...Object.keys(onQueuedTask), ...Object.keys(onRunningTask)];
    expect(rows.map(({ name }) => name).sort()).toEqual(tried.sort());
  });

  it('gives each slot of a tenant to one task', async () => {
    const { sql } = database;
    const [one, other] = [await storeTask(sql), await storeTask(sql)];
    for (const task of [one, other]) await claimed(sql, task);
    await expect(
      sql`update errand.tasks set slot = 1 where id in ${sql([one, other])}`,
    ).rejects.toMatchObject({ constraint_name: 'tasks_one_per_slot' });
  });

  it('gives a key a scope at least', async () => {
    const { sql } = database;
    const key = await aKey(sql);
    await expect(
      sql`update errand.api_keys set scopes = '{}' where id = ${key}`,
    ).rejects.toMatchObject({ constraint_name: 'api_keys_scopes_known' });
  });

  it('forgets all that belongs to a deleted task', async () => {
    const task = await storeTask(database.sql, { labels: { a: 'b' } });
    await claimed(database.sql, task);
    await database.sql`
      insert into errand.outbox (task_id, due_at, relay_at) values (${task}, now(), now())`;
    await database.sql`
      insert into errand.output_chunks (task_id, seq, stream, bytes)
      values (${task}, 1000001, 'stdout', 'x')`;
    await database.sql`delete from errand.tasks where id = ${task}`;
    for (const table of ['attempts', 'outbox', 'output_chunks', 'task_labels']) {
      const left = await database.sql`
        select from errand.${database.sql(table)} where task_id = ${task}`;
      expect([table, left.length]).toEqual([table, 0]);
    }
  });
});
