import type { Sql } from '../../lib/db/connection.ts';

/**
 * Makes the database itself write down every change of a task and of an attempt, so that what
 * happened can be judged afterwards whoever did it, and whether or not it lived to tell. The rows
 * are written by the transaction that makes the change: what is rolled back never happened.
 */
export async function recordHistory(sql: Sql): Promise<void> {
  await sql.unsafe(`
    create schema audit;
    create table audit.steps (
      id bigint generated always as identity primary key,
      at timestamptz not null default clock_timestamp(),
      subject text not null,
      task_id uuid not null,
      before jsonb,
      after jsonb
    );
    create index on audit.steps (task_id, id);

    create function audit.note_task() returns trigger language plpgsql as $$
    begin
      insert into audit.steps (subject, task_id, before, after) values ('task',
        coalesce(new.id, old.id),
        case when old.id is not null then to_jsonb(old) - array['stdin', 'env', 'labels'] end,
        case when new.id is not null then to_jsonb(new) - array['stdin', 'env', 'labels'] end);
      return null;
    end $$;
    create trigger note_task after insert or update or delete on errand.tasks
      for each row execute function audit.note_task();

    create function audit.note_attempt() returns trigger language plpgsql as $$
    begin
      insert into audit.steps (subject, task_id, before, after) values ('attempt',
        coalesce(new.task_id, old.task_id),
        case when old.task_id is not null then to_jsonb(old) - array['stdout', 'stderr'] end,
        case when new.task_id is not null then to_jsonb(new) - array['stdout', 'stderr'] end);
      return null;
    end $$;
    create trigger note_attempt after insert or update or delete on errand.attempts
      for each row execute function audit.note_attempt();
  `);
}

/** What no task and no attempt may ever do, with the task that did it. */
export interface IllegalStep {
  readonly taskId: string;
  readonly what: string;
}

/** Judges all steps, or those of one task, since `after`. */
export async function findIllegalSteps(sql: Sql, after = 0): Promise<IllegalStep[]> {
  return sql<IllegalStep[]>`
    with steps as (
      select id, task_id, subject, before, after,
             before ->> 'status' as was, after ->> 'status' as became,
             (before ->> 'attempt')::int as attempt_was, (after ->> 'attempt')::int as attempt_is
        from audit.steps where id > ${after} and before is not null and after is not null
    )
    select task_id as "taskId",
           'attempt ' || (before ->> 'number') || ' was settled twice: ' || was || ', then ' || became as what
      from steps where subject = 'attempt' and was <> 'running'
    union all
    select task_id, 'the task changed after its end: ' || was || ' to ' || became
      from steps
     where subject = 'task' and was in ('succeeded', 'failed', 'cancelled') and became <> 'queued'
    union all
    select task_id, 'the task went from ' || was || ' to ' || became
      from steps
     where subject = 'task' and (was, became) not in (
       ('queued', 'queued'), ('queued', 'running'), ('queued', 'cancelled'),
       ('running', 'running'), ('running', 'queued'),
       ('running', 'succeeded'), ('running', 'failed'), ('running', 'cancelled'),
       ('succeeded', 'queued'), ('failed', 'queued'), ('cancelled', 'queued'))
    union all
    select task_id, 'the attempt number went from ' || attempt_was || ' to ' || attempt_is
             || ' while ' || was || ' became ' || became
      from steps
     where subject = 'task'
       and attempt_is <> attempt_was + (case when was = 'queued' and became = 'running' then 1 else 0 end)
    union all
    select task_id, 'the slot of its attempt became another one'
      from steps
     where subject = 'task' and was = 'running' and became = 'running'
       and before -> 'slot' is distinct from after -> 'slot'`;
}

/** States of now that must not be: checked at any moment, between any two statements. */
export async function findIllegalStates(sql: Sql): Promise<IllegalStep[]> {
  return sql<IllegalStep[]>`
    select task_id as "taskId", count(*) || ' attempts run at once' as what
      from errand.attempts where status = 'running' group by task_id having count(*) > 1
    union all
    select t.id, 'has attempt ' || t.attempt || ' but its attempts are ' || coalesce(a.numbers::text, 'none')
      from errand.tasks t
      left join (select task_id, array_agg(number order by number) as numbers
                   from errand.attempts group by task_id) a on a.task_id = t.id
     where coalesce(a.numbers, '{}') <> array(select generate_series(1, t.attempt))
    union all
    select t.id, 'is ' || t.status || ' while its attempt ' || a.number || ' is ' || a.status
      from errand.tasks t join errand.attempts a on a.task_id = t.id
     where (a.status = 'running') <> (t.status = 'running' and a.number = t.attempt)
       and (a.status = 'running' or a.number = t.attempt)
    union all
    select id, 'waits without ever being nudged, and is not parked' from errand.tasks
     where status = 'queued' and nudge_at = 'infinity' and parked_at is null
    union all
    select id, 'is parked, and would be nudged' from errand.tasks
     where nudge_at <> 'infinity' and parked_at is not null`;
}

/**
 * How many tasks of a tenant were running at the moment when most of them were. By the time of the
 * trigger, not by `started_at`: a statement's `now()` is from before its snapshot, so that a slot may
 * seem to have been taken before it was given up.
 */
export async function mostAtOnce(sql: Sql): Promise<number> {
  const [row] = await sql<[{ most: number | null }]>`
    with changes as (
      select id, at, coalesce(after, before) ->> 'tenant' as tenant,
             (after ->> 'status' is not distinct from 'running')::int
               - (before ->> 'status' is not distinct from 'running')::int as change
        from audit.steps where subject = 'task'
    )
    select max(running) as most
      from (select sum(change) over (partition by tenant order by at, id) as running
              from changes) as counted`;
  return row.most ?? 0;
}
