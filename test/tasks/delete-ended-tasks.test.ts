import { describe, expect, it } from 'vitest';
import { makeDeleteEndedTasks } from '../../lib/tasks/delete-ended-tasks.ts';
import { requestCancel } from '../../lib/tasks/task-store.ts';
import { ACTOR, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();

describe('deleteEndedTasks', () => {
  it('deletes what ended before the retention, with its attempts, and nothing else', async () => {
    const { sql } = database;
    const [old, fresh, running, queued] = [
      await storeTask(sql),
      await storeTask(sql),
      await storeTask(sql),
      await storeTask(sql),
    ];
    await claimed(sql, old);
    await sql`
      update errand.tasks set status = 'succeeded', lease_expires_at = null,
             finished_at = now() - interval '31 days' where id = ${old}`;
    await requestCancel(sql, ACTOR, fresh);
    await claimed(sql, running);
    await sql`update errand.tasks set created_at = now() - interval '1 year'`;

    expect(await makeDeleteEndedTasks({ sql, retentionDays: 30 })()).toBe(1);
    const left = await sql<{ id: string }[]>`select id from errand.tasks order by id`;
    expect(left.map(({ id }) => id)).toEqual([fresh, running, queued]);
    expect(await sql`select from errand.attempts where task_id = ${old}`).toHaveLength(0);
  });

  it('deletes more than one batch', async () => {
    const { sql } = database;
    await sql`
      insert into errand.tasks (id, command, timeout_seconds, memory_mb, limits, status, finished_at)
      select gen_random_uuid(), 'true', 1, 16, '{}', 'cancelled', now() - interval '40 days'
        from generate_series(1, 1100)`;
    expect(await makeDeleteEndedTasks({ sql, retentionDays: 30 })()).toBe(1100);
  });
});
