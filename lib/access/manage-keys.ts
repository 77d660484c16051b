import type { Sql } from '../db/connection.ts';
import { type Actor, EVERYBODY, SCOPES, type Tenant } from './caller.ts';
import { type IssuedKey, issueKey, reissueKey } from './issue-key.ts';
import type { KeyCommand } from './key-command.ts';
import { revokeKey, type StoredKey, selectKey, selectKeys } from './key-store.ts';

/** What came of a command. */
export type KeyAnswer =
  | ({ readonly kind: 'issued' } & IssuedKey)
  | { readonly kind: 'listed'; readonly keys: readonly StoredKey[] }
  | { readonly kind: 'revoked'; readonly stored: StoredKey }
  /** There is a key already, so no first one was made. */
  | { readonly kind: 'notFirst' }
  | { readonly kind: 'unknown'; readonly id: string }
  /** The key was revoked or has expired before; or an overlap runs, and there can be but one. */
  | { readonly kind: 'over'; readonly stored: StoredKey };

/** Makes, lists, revokes and rotates keys. `by`: who does, for the audit log. */
export async function manageKeys(sql: Sql, command: KeyCommand, by: string): Promise<KeyAnswer> {
  switch (command.kind) {
    case 'first':
      return issueFirst(sql, by);
    case 'create':
      return issued(await issueKey(sql, actorOf(command.tenant, by), command.key));
    case 'list':
      return { kind: 'listed', keys: await selectKeys(sql, command.tenant) };
    case 'revoke':
      return withKey(sql, command.id, async ({ id, tenant }) => {
        const stored = await revokeKey(sql, actorOf(tenant, by), id);
        return stored && { kind: 'revoked', stored };
      });
    case 'rotate':
      return withKey(sql, command.id, async ({ id, tenant }) => {
        const key = await reissueKey(sql, actorOf(tenant, by), id, command.overlapSeconds);
        return key && issued(key);
      });
  }
}

/** Two at once make one key: the second one waits here, and finds it. */
async function issueFirst(sql: Sql, by: string): Promise<KeyAnswer> {
  const { tenant } = EVERYBODY;
  return sql.begin(async (tx): Promise<KeyAnswer> => {
    await tx`lock table errand.api_keys in share row exclusive mode`;
    const [known] = await tx`select from errand.api_keys limit 1`;
    if (known) return { kind: 'notFirst' };
    const key = { name: 'first', scopes: SCOPES, rateLimit: null, expiresAt: null };
    return issued(await issueKey(tx as unknown as Sql, actorOf(tenant, by), key));
  });
}

async function withKey(
  sql: Sql,
  id: string,
  change: (key: StoredKey) => Promise<KeyAnswer | undefined>,
): Promise<KeyAnswer> {
  const key = await selectKey(sql, id);
  if (!key) return { kind: 'unknown', id };
  // Looked up again, because somebody may have been faster.
  return (await change(key)) ?? { kind: 'over', stored: (await selectKey(sql, id)) ?? key };
}

function issued(key: IssuedKey): KeyAnswer {
  return { kind: 'issued', ...key };
}

function actorOf(tenant: Tenant, by: string): Actor {
  return { tenant, keyId: null, requestId: by, sourceIp: null };
}
