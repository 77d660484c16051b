import type { Sql } from '../db/connection.ts';
import { type ApiKey, digestOf, isSameDigest } from './api-key.ts';
import type { Principal, Scope, Tenant } from './caller.ts';
import type { RateLimitState } from './rate-limit.ts';

/** What comes of showing a key. */
export type Shown =
  | { readonly kind: 'good'; readonly principal: Principal; readonly rate: RateLimitState | null }
  /** There is none with this id and this secret; which of the two is wrong is not told. */
  | { readonly kind: 'unknown' }
  /** These are told to somebody who knows the secret. */
  | { readonly kind: 'revoked' | 'expired' | 'replaced'; readonly at: Date };

interface KeyRow {
  readonly tenant: Tenant;
  readonly scopes: Scope[];
  readonly secretHash: Buffer;
  readonly previousHash: Buffer | null;
  readonly revokedAt: Date | null;
  /** Set when it is over. */
  readonly expiredAt: Date | null;
  readonly replacedAt: Date | null;
  /** Null where there is no limit. */
  readonly requestsPerMinute: number | null;
  readonly burst: number | null;
  readonly granted: boolean | null;
  readonly tokens: number | null;
}

/**
 * Looks a key up, and takes a token of its rate limit when the secret is right: who knows an id
 * alone must not use up a key's limit. One statement, so one round trip.
 */
export async function showKey(sql: Sql, key: ApiKey): Promise<Shown> {
  const digest = digestOf(key.secret);
  const row = await readAndSpend(sql, key.id, digest);
  if (!row) return { kind: 'unknown' };
  const isCurrent = isSameDigest(row.secretHash, digest);
  const isPrevious = row.previousHash !== null && isSameDigest(row.previousHash, digest);
  if (!isCurrent && !isPrevious) return { kind: 'unknown' };
  if (row.revokedAt) return { kind: 'revoked', at: row.revokedAt };
  if (row.expiredAt) return { kind: 'expired', at: row.expiredAt };
  if (!isCurrent && row.replacedAt) return { kind: 'replaced', at: row.replacedAt };
  const { tenant, scopes } = row;
  return { kind: 'good', principal: { tenant, keyId: key.id, scopes }, rate: rateOf(row) };
}

/**
 * A bucket of `burst` tokens that fills at an even pace, kept as the time at which it is full: each
 * token taken moves that on by one step. Requests at once queue up at the bucket's row, and each
 * one reads what the one before it has left. `=` on digests decides nothing but whether a token is
 * taken, and what its time could tell of a digest does not lead back to the secret.
 */
async function readAndSpend(sql: Sql, id: string, digest: Buffer): Promise<KeyRow | undefined> {
  const [row] = await sql<KeyRow[]>`/* readAndSpend */
    with k as (
      select *, make_interval(secs => 60.0 / requests_per_minute) as step,
             case when expires_at <= now() then expires_at end as expired_at,
             case when previous_until <= now() then previous_until end as replaced_at
        from errand.api_keys where id = ${id}
    ), good as (
      select * from k
       where (secret_hash = ${digest} or (previous_hash = ${digest} and replaced_at is null))
         and revoked_at is null and expired_at is null
    ), bucket as (
      insert into errand.rate_limits as b (key_id, full_at, granted)
      select id, now() + step, true from good where step is not null
      on conflict (key_id) do update
         set (full_at, granted) = (
               select case when fits then next else b.full_at end, fits
                 from good,
                      lateral (select greatest(b.full_at, now()) + step as next) as taken,
                      lateral (select next <= now() + step * burst as fits) as checked)
      returning full_at, granted
    ), used as (
      update errand.api_keys set last_used_at = now()
       where id = (select id from good)
         and (last_used_at is null or last_used_at < now() - interval '1 minute')
    )
    select k.tenant, k.scopes, k.secret_hash as "secretHash", k.previous_hash as "previousHash",
           k.revoked_at as "revokedAt", k.expired_at as "expiredAt", k.replaced_at as "replacedAt",
           k.requests_per_minute as "requestsPerMinute", k.burst, bucket.granted,
           (k.burst - extract(epoch from bucket.full_at - now()) / extract(epoch from k.step)
           )::float8 as tokens
      from k left join bucket on true`;
  return row;
}

function rateOf({ requestsPerMinute, burst, granted, tokens }: KeyRow): RateLimitState | null {
  if (requestsPerMinute === null || burst === null || granted === null || tokens === null) {
    return null;
  }
  const remaining = Math.max(0, Math.min(burst, Math.floor(tokens)));
  const missing = remaining + 1 - tokens;
  const nextInSeconds = remaining === burst ? 0 : Math.ceil((missing * 60) / requestsPerMinute);
  return { requestsPerMinute, burst, granted, remaining, nextInSeconds };
}
