-- Why: the first tables. Tasks hold the state that decides what happens next, attempts hold what
-- each execution did, the outbox holds messages that are owed to the queue.
-- Locks: none that matter, all tables are new. Takes milliseconds.

create table errand.tasks (
  id uuid not null,
  tenant text not null default 'default',
  status text not null default 'queued',

  command text,
  argv text[],
  stdin bytea not null default '',
  env jsonb not null default '{}',
  timeout_seconds integer not null,
  memory_mb integer not null,
  limits jsonb not null,
  labels jsonb not null default '{}',

  -- How often a command that fails is run, and how to go on when its worker vanishes.
  max_attempts integer not null default 1,
  retry_delay_seconds integer not null default 0,
  on_worker_lost text not null default 'rerun',

  -- How often the command was started. Fences every write of a worker: see attempt-store.ts.
  attempt integer not null default 0,
  lease_expires_at timestamptz,
  -- What is left of max_attempts, and how many attempts their worker did not survive.
  attempts_left integer not null default 1,
  lost_attempts integer not null default 0,

  failure_code text,
  failure_message text,

  created_at timestamptz not null default now(),
  -- Not to be started earlier.
  run_at timestamptz not null default now(),
  -- A task that still waits then has perhaps lost its message: see forgotten tasks in upkeep-store.ts.
  nudge_at timestamptz not null default now(),
  started_at timestamptz,
  finished_at timestamptz,
  cancel_requested_at timestamptz,

  constraint tasks_pkey primary key (id),
  constraint tasks_status_known
    check (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
  constraint tasks_on_worker_lost_known check (on_worker_lost in ('rerun', 'fail')),
  constraint tasks_attempts_left check (attempts_left between 1 and max_attempts),
  constraint tasks_one_program check ((command is null) <> (argv is null)),
  constraint tasks_lease_while_running check ((status = 'running') = (lease_expires_at is not null)),
  constraint tasks_finished_when_ended
    check ((status in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
  constraint tasks_failure_when_failed check ((status = 'failed') = (failure_code is not null)),
  constraint tasks_failure_explained check ((failure_code is null) = (failure_message is null)),
  constraint tasks_started_with_attempt check ((attempt > 0) = (started_at is not null))
);

-- Every update of a task changes its status or lease: room on the page keeps the updates local.
alter table errand.tasks set (fillfactor = 70);

create index tasks_by_tenant on errand.tasks (tenant, id desc);
-- Only running tasks have a lease, so the rescue reads an index as small as the work in flight.
create index tasks_by_lease on errand.tasks (lease_expires_at) where status = 'running';
create index tasks_by_nudge on errand.tasks (nudge_at) include (run_at) where status = 'queued';
create index tasks_by_end on errand.tasks (finished_at) where finished_at is not null;

create table errand.attempts (
  task_id uuid not null,
  number integer not null,
  status text not null default 'running',
  sandbox_tier text not null,

  exit_code integer,
  signal text,
  failure_code text,
  failure_message text,

  stdout bytea not null default '',
  stderr bytea not null default '',
  -- What the command wrote in all, kept or not.
  stdout_bytes bigint not null default 0,
  stderr_bytes bigint not null default 0,

  wall_ms integer,
  cpu_ms integer,
  max_rss_bytes bigint,

  started_at timestamptz not null default now(),
  finished_at timestamptz,

  constraint attempts_pkey primary key (task_id, number),
  constraint attempts_task foreign key (task_id) references errand.tasks on delete cascade,
  constraint attempts_status_known check (status in ('running', 'succeeded', 'failed', 'cancelled')),
  constraint attempts_finished_when_ended check ((status <> 'running') = (finished_at is not null)),
  constraint attempts_exit_or_signal check (exit_code is null or signal is null),
  constraint attempts_failure_when_failed check ((status = 'failed') = (failure_code is not null))
);

create table errand.outbox (
  id bigint generated always as identity,
  task_id uuid not null,
  -- The message is to be delivered then, not earlier.
  due_at timestamptz not null,
  -- Whoever wrote the row publishes it at once; the relay takes over from this time on.
  relay_at timestamptz not null,

  constraint outbox_pkey primary key (id),
  constraint outbox_task foreign key (task_id) references errand.tasks on delete cascade
);

create index outbox_by_relay on errand.outbox (relay_at);
create index outbox_by_task on errand.outbox (task_id);
