import { describe, expect, it } from 'vitest';
import { manageKeys } from '../../lib/access/manage-keys.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
const first = () => manageKeys(database.sql, { kind: 'first' }, 'test');

describe('manageKeys', () => {
  it('makes one first key for twenty who ask at once, and none ever after', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, first));
    const issued = answers.filter((answer) => answer.kind === 'issued');
    expect(issued).toHaveLength(1);
    expect(issued[0]?.stored).toMatchObject({
      tenant: 'default',
      scopes: ['read', 'write', 'admin'],
    });
    await database.sql`update errand.api_keys set revoked_at = now()`;
    expect(await first()).toEqual({ kind: 'notFirst' });
  });
});
