import { describe, expect, it } from 'vitest';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();

describe('an array', () => {
  it.each([
    [[]],
    [['']],
    [['a', 'b c', 'null', 'NULL']],
    [['"', '\\', '{}', ',', 'line\nline', "it's", 'ünï']],
    [['\\"', 'a\\', '"quoted"']],
  ])('of text comes back as it went: %j', async (items) => {
    const [row] = await database.sql`select ${items}::text[] as items`;
    expect(row).toEqual({ items });
  });

  it('of numbers or ids is understood by the server', async () => {
    const id = '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f';
    const rows = await database.sql`
      select * from unnest(${[7, -1]}::int[], ${[id, id]}::uuid[]) as t (number, id)`;
    expect(rows).toEqual([
      { number: 7, id },
      { number: -1, id },
    ]);
  });
});
