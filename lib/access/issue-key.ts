import { v7 as uuidv7 } from 'uuid';
import type { Sql } from '../db/connection.ts';
import { digestOf, formatApiKey, makeSecret } from './api-key.ts';
import type { Actor } from './caller.ts';
import { insertKey, type NewKey, rotateKey, type StoredKey } from './key-store.ts';

export interface IssuedKey {
  readonly stored: StoredKey;
  /** What the client is to show. This is the only time that it is known. */
  readonly apiKey: string;
}

/** Makes a key for the actor's tenant. */
export async function issueKey(
  sql: Sql,
  actor: Actor,
  key: Omit<NewKey, 'id'>,
): Promise<IssuedKey> {
  const id = uuidv7();
  const secret = makeSecret();
  const stored = await insertKey(sql, actor, { ...key, id }, digestOf(secret));
  return { stored, apiKey: formatApiKey({ id, secret }) };
}

/** Gives a key a new secret; undefined when it cannot have one, see `rotateKey`. */
export async function reissueKey(
  sql: Sql,
  actor: Actor,
  id: string,
  overlapSeconds: number,
): Promise<IssuedKey | undefined> {
  const secret = makeSecret();
  const secretHash = digestOf(secret);
  const stored = await rotateKey(sql, actor, id, { secretHash, overlapSeconds });
  return stored && { stored, apiKey: formatApiKey({ id, secret }) };
}
