-- Why: where a task comes from, as the W3C trace context of the request that created it, so that every
-- attempt is a part of that trace: through the queue, the outbox, the relay, retries and the rescue.
-- Null without tracing. It has no constraint: what cannot be read is no trace, and harms nothing.
-- Locks: errand.tasks, for an instant: a column without a default rewrites no row.

alter table errand.tasks add column traceparent text;
