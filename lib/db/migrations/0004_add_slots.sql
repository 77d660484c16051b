-- Why: a cap on the running tasks of a tenant, so that one with many tasks leaves room for others.
-- A running task holds a numbered slot of its tenant, and the unique index makes the cap exact. A
-- task that finds no free slot is parked: it has no message until a slot is free.
-- Locks: errand.tasks, for as long as it takes to read it once (three seconds for a million tasks).

alter table errand.tasks
  add column slot integer,
  add column parked_at timestamptz,
  add constraint tasks_slot_while_running check (slot is null or status = 'running'),
  add constraint tasks_parked_while_queued check (parked_at is null or status = 'queued');

create unique index tasks_one_per_slot on errand.tasks (tenant, slot) where slot is not null;
create index tasks_by_parking on errand.tasks (tenant, parked_at) where parked_at is not null;
