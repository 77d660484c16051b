import { userInfo } from 'node:os';
import type { Actor, Tenant } from '../../lib/access/caller.ts';
import { issueKey, reissueKey } from '../../lib/access/issue-key.ts';
import { revokeKey, type StoredKey, selectKey, selectKeys } from '../../lib/access/key-store.ts';
import type { Sql } from '../../lib/db/connection.ts';
import { Failure } from '../failure.ts';
import { formatCreated, formatKeys, formatRotated } from './format-keys.ts';
import type { Command } from './read-command.ts';

/** What a command has to say, to programs and to people. */
export interface Result {
  readonly document: unknown;
  readonly text: string;
}

/** @throws Failure when there is no such key, it is over already, or its last overlap is not */
export async function runCommand(sql: Sql, command: Command): Promise<Result> {
  switch (command.kind) {
    case 'create': {
      const issued = await issueKey(sql, operator(command.tenant), command.key);
      return { document: { ...issued.stored, apiKey: issued.apiKey }, text: formatCreated(issued) };
    }
    case 'list': {
      const keys = await selectKeys(sql, command.tenant);
      return { document: keys, text: formatKeys(keys) };
    }
    case 'revoke': {
      const key = await findKey(sql, command.id);
      const revoked = await revokeKey(sql, operator(key.tenant), key.id);
      if (!revoked) throw await over(sql, key);
      return { document: revoked, text: `Revoked "${key.name}" (${key.id}): it is refused now.` };
    }
    case 'rotate': {
      const key = await findKey(sql, command.id);
      const issued = await reissueKey(sql, operator(key.tenant), key.id, command.overlapSeconds);
      if (!issued) throw await over(sql, key);
      return { document: { ...issued.stored, apiKey: issued.apiKey }, text: formatRotated(issued) };
    }
  }
}

async function findKey(sql: Sql, id: string): Promise<StoredKey> {
  const key = await selectKey(sql, id);
  if (key) return key;
  throw new Failure(`There is no key ${id}.`, '"npm run keys -- list" shows those that there are.');
}

/** Why nothing was changed; looked up again, because somebody may have been faster. */
async function over(sql: Sql, { id, name }: StoredKey): Promise<Failure> {
  const { state, revokedAt, expiresAt, overlapUntil } = await findKey(sql, id);
  if (state === 'active' && overlapUntil) {
    return new Failure(
      `The secret of "${name}" (${id}) was replaced before, and the old one works until ${overlapUntil.toISOString()}: a key overlaps with one at a time.`,
      `Wait until then; or end that now: npm run keys -- rotate ${id}`,
    );
  }
  const how = revokedAt
    ? `was revoked at ${revokedAt.toISOString()}`
    : `expired at ${expiresAt?.toISOString()}`;
  return new Failure(`The key "${name}" (${id}) ${how}.`, 'A new one: npm run keys -- create');
}

/** For the audit log: who sits at the command line. */
function operator(tenant: Tenant): Actor {
  return { tenant, keyId: null, requestId: `cli:${userName()}`, sourceIp: null };
}

/** A container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
