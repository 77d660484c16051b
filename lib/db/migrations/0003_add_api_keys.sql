-- Why: API keys with their rate limits, and a quick way to the audit entries of one task or key.
-- Locks: errand.audit_log against writing while two indexes are built, about 2 s for a million
-- entries: creating and changing tasks waits so long. The tables are new.

create table errand.api_keys (
  -- The public part of the key.
  id uuid not null,
  tenant text not null,
  name text not null,
  scopes text[] not null,
  -- SHA-256 of the secret part, see lib/access/api-key.ts. The secret itself is nowhere.
  secret_hash bytea not null,
  -- The secret that a rotation replaced, good until then.
  previous_hash bytea,
  previous_until timestamptz,
  -- Null: as many as it likes.
  requests_per_minute integer,
  burst integer,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  revoked_at timestamptz,
  -- To the minute, so that a request seldom has to wait for the disk.
  last_used_at timestamptz,

  constraint api_keys_pkey primary key (id),
  constraint api_keys_scopes_known
    check (scopes <@ '{read,write,admin}' and cardinality(scopes) > 0),
  constraint api_keys_hashes_are_sha256
    check (length(secret_hash) = 32 and length(previous_hash) = 32),
  constraint api_keys_previous_ends check ((previous_hash is null) = (previous_until is null)),
  constraint api_keys_rate_with_burst check ((requests_per_minute is null) = (burst is null)),
  constraint api_keys_rate_positive check (requests_per_minute > 0 and burst > 0)
);

-- How much of its rate limit each key has used. Every request of a key writes here, so the table is
-- unlogged: no write-ahead log, no wait for the disk. A crash of the database empties it, and all
-- that is lost is that the keys begin with a full bucket.
create unlogged table errand.rate_limits (
  key_id uuid not null,
  -- When the bucket is full again, if nobody takes a token before.
  full_at timestamptz not null,
  -- Whether the last request got a token: a statement can return only what it has stored.
  granted boolean not null,

  constraint rate_limits_pkey primary key (key_id),
  constraint rate_limits_key foreign key (key_id) references errand.api_keys on delete cascade
) with (fillfactor = 50);

create index audit_log_by_subject on errand.audit_log (tenant, subject, id desc);
-- Nearly all entries are of this one action, which is found without an index of its own.
create index audit_log_by_action on errand.audit_log (tenant, action, id desc)
  where action <> 'task.create';
