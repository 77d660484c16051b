import type { Sql } from '../../lib/db/connection.ts';
import { usualLimits } from '../../lib/tasks/limits.ts';
import { TENANT } from './a-task.ts';

/** Tasks of one statement: it must end within the time that a statement has. */
const BATCH = 20_000;

/**
 * Stores tasks that ended long ago, one a second, as many as a busy year leaves: of 1,000 tasks one
 * was cancelled and 50 failed; each has one of five teams as a label, and one in 10,000 is `rare`.
 */
export async function storeHistory(sql: Sql, count: number): Promise<void> {
  for (let from = 1; from <= count; from += BATCH) {
    await storeBatch(sql, from, Math.min(from + BATCH - 1, count), count);
  }
  await sql`analyze errand.tasks, errand.attempts, errand.task_labels, errand.output_chunks`;
}

async function storeBatch(sql: Sql, from: number, to: number, count: number): Promise<void> {
  await sql`
    with n as (
      select n, date_trunc('milliseconds', now()) - make_interval(secs => ${count} - n) as at,
             case when n % 1000 = 0 then 'cancelled' when n % 20 = 0 then 'failed'
                  else 'succeeded' end as status
        from generate_series(${from}::int, ${to}::int) as n
    ), t as (
      insert into errand.tasks
             (id, tenant, status, command, timeout_seconds, memory_mb, limits, labels, attempt,
              created_at, run_at, nudge_at, started_at, finished_at, failure_code, failure_message)
      select gen_random_uuid(), ${TENANT}, status, 'echo ' || n, 60, 256,
             ${sql.json(usualLimits(60))},
             jsonb_build_object('team', 'team-' || n % 5)
               || case when n % 10000 = 7 then '{"rare": "yes"}'::jsonb else '{}' end,
             1, at, at, at, at, at, case status when 'failed' then 'nonzero_exit' end,
             case status when 'failed' then 'The command exited with code 1.' end
        from n
      returning *
    ), a as (
      insert into errand.attempts
             (task_id, number, status, sandbox_tier, exit_code, wall_ms, started_at, finished_at,
              failure_code, stdout_bytes)
      select id, 1, status, 'none', case status when 'failed' then 1 else 0 end, 12, started_at,
             finished_at, failure_code, 6
        from t
    ), o as (
      insert into errand.output_chunks (task_id, seq, stream, bytes)
      select id, 1000001, 'stdout', 'hello' from t
    )
    insert into errand.task_labels (tenant, key, value, created_at, task_id)
    select tenant, label.key, label.value, created_at, id
      from t, jsonb_each_text(labels) as label`;
}
