-- Why: live output, idempotency keys, the audit log, and indexes for the filters of the list.
-- Output moves out of the attempts, to be written while a command runs, in chunks.
-- Locks: all of errand.tasks and errand.attempts, for as long as it takes to copy the output and to
-- build three indexes: about 10 s for a million tasks. Nothing is lost meanwhile; clients get 503.
-- Needs code: 2

create table errand.output_chunks (
  task_id uuid not null,
  -- In order of arrival over all attempts: a million times the attempt's number, plus 1, 2, ...
  seq bigint not null,
  stream text not null,
  bytes bytea not null,
  stored_at timestamptz not null default now(),

  constraint output_chunks_pkey primary key (task_id, seq),
  constraint output_chunks_task foreign key (task_id) references errand.tasks on delete cascade,
  constraint output_chunks_stream_known check (stream in ('stdout', 'stderr'))
);

insert into errand.output_chunks (task_id, seq, stream, bytes, stored_at)
select task_id, number * 1000000::bigint + 1, 'stdout', stdout, coalesce(finished_at, started_at)
  from errand.attempts where length(stdout) > 0;
insert into errand.output_chunks (task_id, seq, stream, bytes, stored_at)
select task_id, number * 1000000::bigint + 2, 'stderr', stderr, coalesce(finished_at, started_at)
  from errand.attempts where length(stderr) > 0;
alter table errand.attempts drop column stdout, drop column stderr;

create table errand.idempotency_keys (
  tenant text not null,
  key text not null,
  -- Which task of the request it is, from 1: a batch makes many under one key.
  position integer not null,
  request_hash bytea not null,
  task_id uuid not null,

  constraint idempotency_keys_pkey primary key (tenant, key, position),
  -- A key is kept for as long as its task is.
  constraint idempotency_keys_task foreign key (task_id) references errand.tasks on delete cascade
);
create index idempotency_keys_by_task on errand.idempotency_keys (task_id);

-- The API shows milliseconds, and pages begin after a time that it showed.
alter table errand.tasks alter column created_at set default date_trunc('milliseconds', now());
update errand.tasks set created_at = date_trunc('milliseconds', created_at);

create index tasks_by_creation on errand.tasks (tenant, created_at desc, id desc);
create index tasks_by_status on errand.tasks (tenant, status, created_at desc, id desc);
create index tasks_by_tenant_end on errand.tasks (tenant, finished_at) include (status)
  where finished_at is not null;
drop index errand.tasks_by_tenant;

create table errand.task_labels (
  tenant text not null,
  key text not null,
  value text not null,
  created_at timestamptz not null,
  task_id uuid not null,

  constraint task_labels_pkey primary key (tenant, key, value, created_at, task_id),
  constraint task_labels_task foreign key (task_id) references errand.tasks on delete cascade
);
create index task_labels_by_task on errand.task_labels (task_id);

insert into errand.task_labels (tenant, key, value, created_at, task_id)
select tenant, label.key, label.value, created_at, id
  from errand.tasks, jsonb_each_text(labels) as label;

-- How many tasks ended before `tallied_until`, so that nobody has to count a million of them.
create table errand.tallies (
  tenant text not null,
  status text not null,
  count bigint not null,

  constraint tallies_pkey primary key (tenant, status)
);
create table errand.tally_state (
  -- Of one row.
  id boolean not null default true,
  tallied_until timestamptz not null,

  constraint tally_state_pkey primary key (id),
  constraint tally_state_one_row check (id)
);
insert into errand.tally_state (tallied_until) values ('-infinity');

create table errand.audit_log (
  id bigint generated always as identity,
  at timestamptz not null default now(),
  tenant text not null,
  key_id uuid,
  action text not null,
  -- What was changed: a task, a key, a dead letter. Not a reference: entries outlive it.
  subject text not null,
  source_ip inet,
  request_id text not null,

  constraint audit_log_pkey primary key (id)
);
create index audit_log_by_tenant on errand.audit_log (tenant, id desc);

-- Entries are added, and never changed: not even by a mistake of ours.
create function errand.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'errand.% is append-only', tg_table_name using errcode = '42501';
end
$$;
create trigger audit_log_append_only
  before update or delete or truncate on errand.audit_log
  execute function errand.refuse_change();
revoke update, delete, truncate on errand.audit_log from public;
