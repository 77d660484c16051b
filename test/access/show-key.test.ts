import { describe, expect, it } from 'vitest';
import { type ApiKey, makeSecret, parseApiKey } from '../../lib/access/api-key.ts';
import { reissueKey } from '../../lib/access/issue-key.ts';
import { revokeKey } from '../../lib/access/key-store.ts';
import { type Shown, showKey } from '../../lib/access/show-key.ts';
import { ACTOR, aTaskId } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { storeKey } from '../support/keys.ts';

const database = useDatabase();

function parsed(apiKey: string): ApiKey {
  const key = parseApiKey(apiKey);
  if (!key) throw new Error('not a key');
  return key;
}

const show = (apiKey: string) => showKey(database.sql, parsed(apiKey));

/** Moves time: what was set to come has come a second ago. */
async function makePast(id: string, column: 'expires_at' | 'previous_until'): Promise<void> {
  const { sql } = database;
  await sql`
    update errand.api_keys set ${sql(column)} = now() - interval '1 second' where id = ${id}`;
}

describe('showKey', () => {
  it('tells the tenant and the scopes of a key', async () => {
    const { id, apiKey } = await storeKey(database.sql, { tenant: 'acme', scopes: ['read'] });
    expect(await show(apiKey)).toEqual({
      kind: 'good',
      principal: { tenant: 'acme', keyId: id, scopes: ['read'] },
      rate: null,
    });
  });

  it('does not tell a wrong secret from a wrong id', async () => {
    const { id, apiKey } = await storeKey(database.sql);
    const unknown: Shown = { kind: 'unknown' };
    expect(await showKey(database.sql, { id, secret: makeSecret() })).toEqual(unknown);
    expect(await showKey(database.sql, { ...parsed(apiKey), id: aTaskId() })).toEqual(unknown);
  });

  it('tells that a key is revoked or has expired, but only who knows its secret', async () => {
    const expired = await storeKey(database.sql, { expiresAt: new Date(Date.now() + 60_000) });
    expect((await show(expired.apiKey)).kind).toBe('good');
    await makePast(expired.id, 'expires_at');
    expect((await show(expired.apiKey)).kind).toBe('expired');
    const revoked = await storeKey(database.sql);
    await revokeKey(database.sql, ACTOR, revoked.id);
    expect((await show(revoked.apiKey)).kind).toBe('revoked');
    for (const { id } of [expired, revoked]) {
      const guess = await showKey(database.sql, { id, secret: makeSecret() });
      expect(guess.kind).toBe('unknown');
    }
  });

  it('knows the new secret alone after a rotation', async () => {
    const old = await storeKey(database.sql);
    const fresh = await reissueKey(database.sql, ACTOR, old.id, 0);
    expect((await show(fresh?.apiKey ?? '')).kind).toBe('good');
    expect((await show(old.apiKey)).kind).toBe('replaced');
  });

  it('knows both secrets until the overlap is over, and none older than that', async () => {
    const oldest = await storeKey(database.sql);
    const old = await reissueKey(database.sql, ACTOR, oldest.id, 3600);
    expect((await show(oldest.apiKey)).kind).toBe('good');
    expect(await reissueKey(database.sql, ACTOR, oldest.id, 3600)).toBeUndefined();
    expect((await show(oldest.apiKey)).kind).toBe('good');
    await makePast(oldest.id, 'previous_until');
    expect((await show(oldest.apiKey)).kind).toBe('replaced');
    const fresh = await reissueKey(database.sql, ACTOR, oldest.id, 3600);
    const kinds = async () => [
      (await show(oldest.apiKey)).kind,
      (await show(old?.apiKey ?? '')).kind,
      (await show(fresh?.apiKey ?? '')).kind,
    ];
    expect(await kinds()).toEqual(['unknown', 'good', 'good']);
    await makePast(oldest.id, 'previous_until');
    expect(await kinds()).toEqual(['unknown', 'replaced', 'good']);
  });

  it('lets nobody in with any secret of a revoked key', async () => {
    const old = await storeKey(database.sql);
    const fresh = await reissueKey(database.sql, ACTOR, old.id, 3600);
    await revokeKey(database.sql, ACTOR, old.id);
    expect((await show(old.apiKey)).kind).toBe('revoked');
    expect((await show(fresh?.apiKey ?? '')).kind).toBe('revoked');
    expect(await reissueKey(database.sql, ACTOR, old.id, 0)).toBeUndefined();
  });

  it('keeps when a key was used last, once a minute', async () => {
    const { sql } = database;
    const { id, apiKey } = await storeKey(sql);
    const lastUsed = async () => {
      const [row] = await sql<{ at: Date | null }[]>`
        select last_used_at as at from errand.api_keys where id = ${id}`;
      return row?.at ?? null;
    };
    await showKey(sql, { id, secret: makeSecret() });
    expect(await lastUsed()).toBeNull();
    await show(apiKey);
    const first = await lastUsed();
    expect(first?.getTime()).toBeGreaterThan(Date.now() - 60_000);
    await show(apiKey);
    expect(await lastUsed()).toEqual(first);
    await sql`
      update errand.api_keys set last_used_at = now() - interval '61 seconds' where id = ${id}`;
    await show(apiKey);
    expect((await lastUsed())?.getTime()).toBeGreaterThanOrEqual(first?.getTime() ?? 0);
  });
});
