-- Why: parked tasks go on in the order in which they came due. By the time at which they were parked,
-- one that was unparked, and found its slot taken by another, began anew at the end of the line.
-- Locks: errand.tasks, for as long as it takes to read it once (a second for a million tasks).

create index tasks_by_place_in_line on errand.tasks (tenant, run_at) where parked_at is not null;
drop index errand.tasks_by_parking;
