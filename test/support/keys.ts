import type { Scope, Tenant } from '../../lib/access/caller.ts';
import { SCOPES } from '../../lib/access/caller.ts';
import { issueKey } from '../../lib/access/issue-key.ts';
import type { NewKey } from '../../lib/access/key-store.ts';
import type { Sql } from '../../lib/db/connection.ts';
import { actorOf, TENANT } from './a-task.ts';

export interface KeyFields extends Partial<Omit<NewKey, 'id'>> {
  readonly tenant?: string;
  readonly scopes?: readonly Scope[];
}

/** A key as a client has it. */
export interface TestKey {
  readonly id: string;
  readonly apiKey: string;
  /** What a request shows. */
  readonly headers: { readonly authorization: string };
}

/** Stores a key that may do everything as often as it likes, unless the fields say otherwise. */
export async function storeKey(sql: Sql, fields: KeyFields = {}): Promise<TestKey> {
  const { tenant = TENANT, ...key } = fields;
  const { stored, apiKey } = await issueKey(sql, actorOf(tenant as Tenant), {
    name: 'test',
    scopes: SCOPES,
    rateLimit: null,
    expiresAt: null,
    ...key,
  });
  return { id: stored.id, apiKey, headers: bearing(apiKey) };
}

export function bearing(apiKey: string): { readonly authorization: string } {
  return { authorization: `Bearer ${apiKey}` };
}
