import type { Sql } from '../db/connection.ts';
import { audit } from './audit-log.ts';
import type { Actor, Scope, Tenant } from './caller.ts';
import type { RateLimit } from './rate-limit.ts';

/** A key as it is to be, less its secret. */
export interface NewKey {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly rateLimit: RateLimit | null;
  readonly expiresAt: Date | null;
}

/** What can be told about a key: not its secret, which nobody knows, nor the digest of it. */
export interface StoredKey extends NewKey {
  readonly tenant: Tenant;
  readonly createdAt: Date;
  readonly revokedAt: Date | null;
  /** Whether it is still good at all, and if not, why. */
  readonly state: 'active' | 'expired' | 'revoked';
  /** To the minute. */
  readonly lastUsedAt: Date | null;
  /** When the secret that a rotation replaced stops to work, while it works. */
  readonly overlapUntil: Date | null;
}

type KeyRow = Omit<StoredKey, 'rateLimit'> & {
  readonly requestsPerMinute: number | null;
  readonly burst: number | null;
};

/** Stores a key of the actor's tenant. */
export async function insertKey(
  sql: Sql,
  actor: Actor,
  key: NewKey,
  secretHash: Buffer,
): Promise<StoredKey> {
  const [row] = await sql<KeyRow[]>`/* insertKey */
    with k as (
      insert into errand.api_keys
             (id, tenant, name, scopes, secret_hash, requests_per_minute, burst, expires_at)
      values (${key.id}, ${actor.tenant}, ${key.name}, ${[...key.scopes]}, ${secretHash},
              ${key.rateLimit?.requestsPerMinute ?? null}, ${key.rateLimit?.burst ?? null},
              ${key.expiresAt})
      returning *
    ), audited as (
      ${audit(sql, actor, 'key.create', sql`select id::text from k`)}
    )
    select ${columns(sql)} from k`;
  if (!row) throw new Error('the key was not stored, and nothing said why');
  return toStoredKey(row);
}

/** The keys of a tenant, or of all of them; in the order in which they were made. */
export async function selectKeys(sql: Sql, tenant: Tenant | undefined): Promise<StoredKey[]> {
  const rows = await sql<KeyRow[]>`/* selectKeys */
    select ${columns(sql)} from errand.api_keys as k
     where ${tenant === undefined ? sql`true` : sql`tenant = ${tenant}`}
     order by tenant, created_at, id`;
  return rows.map(toStoredKey);
}

export async function selectKey(sql: Sql, id: string): Promise<StoredKey | undefined> {
  const [row] = await sql<KeyRow[]>`/* selectKey */
    select ${columns(sql)} from errand.api_keys as k where id = ${id}`;
  return row && toStoredKey(row);
}

/** From now on nobody gets in with the key. Undefined when it is not there, or was revoked before. */
export async function revokeKey(
  sql: Sql,
  actor: Actor,
  id: string,
): Promise<StoredKey | undefined> {
  const [row] = await sql<KeyRow[]>`/* revokeKey */
    with k as (
      update errand.api_keys set revoked_at = now()
       where id = ${id} and tenant = ${actor.tenant} and revoked_at is null
      returning *
    ), audited as (
      ${audit(sql, actor, 'key.revoke', sql`select id::text from k`)}
    )
    select ${columns(sql)} from k`;
  return row && toStoredKey(row);
}

/**
 * Gives a key another secret. The one that it had is good for `overlapSeconds` more; one before
 * that is forgotten. Undefined when the key is not there, was revoked, or has expired; and when an
 * overlap is asked for while the one before still runs, which would end too soon.
 */
export async function rotateKey(
  sql: Sql,
  actor: Actor,
  id: string,
  { secretHash, overlapSeconds }: { secretHash: Buffer; overlapSeconds: number },
): Promise<StoredKey | undefined> {
  const [row] = await sql<KeyRow[]>`/* rotateKey */
    with k as (
      update errand.api_keys
         set secret_hash = ${secretHash}, previous_hash = secret_hash,
             previous_until = now() + make_interval(secs => ${overlapSeconds})
       where id = ${id} and tenant = ${actor.tenant} and revoked_at is null
         and (expires_at is null or expires_at > now())
         and (${overlapSeconds} = 0 or previous_until is null or previous_until <= now())
      returning *
    ), audited as (
      ${audit(sql, actor, 'key.rotate', sql`select id::text from k`)}
    )
    select ${columns(sql)} from k`;
  return row && toStoredKey(row);
}

function columns(sql: Sql) {
  return sql`
    k.id, k.tenant, k.name, k.scopes, k.requests_per_minute as "requestsPerMinute", k.burst,
    k.created_at as "createdAt", k.expires_at as "expiresAt", k.revoked_at as "revokedAt",
    k.last_used_at as "lastUsedAt",
    case when k.revoked_at is not null then 'revoked'
         when k.expires_at <= now() then 'expired'
         else 'active' end as state,
    case when k.previous_until > now() then k.previous_until end as "overlapUntil"`;
}

function toStoredKey({ requestsPerMinute, burst, ...key }: KeyRow): StoredKey {
  const limited = requestsPerMinute !== null && burst !== null;
  return { ...key, rateLimit: limited ? { requestsPerMinute, burst } : null };
}
