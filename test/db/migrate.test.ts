import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseTooNew, type Migration, migrate, readMigrations } from '../../lib/db/migrate.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';

const database = useDatabase({ empty: true });

const first: Migration = {
  number: 1,
  name: '0001_make_a_table',
  statements: 'create table errand.things (id integer); insert into errand.things values (1);',
};

async function things(): Promise<number> {
  const rows = await database.sql`select id from errand.things`;
  return rows.length;
}

describe('migrate', () => {
  beforeEach(async () => {
    await database.sql`drop schema if exists errand cascade`;
  });

  it('brings an empty database to the newest migration', async () => {
    const migrations = await readMigrations();
    const done = await migrate(database.sql, migrations);
    expect(done[0]).toBe('0001_create_tasks');
    expect(done).toHaveLength(migrations.length);
    expect(await database.sql`select id from errand.tasks`).toHaveLength(0);
  });

  it('runs nothing the second time', async () => {
    const migrations = await readMigrations();
    await migrate(database.sql, migrations);
    expect(await migrate(database.sql, migrations)).toEqual([]);
  });

  it('runs what was added since', async () => {
    const second = {
      number: 2,
      name: '0002_add_one',
      statements: 'insert into errand.things values (2)',
    };
    await migrate(database.sql, [first]);
    expect(await migrate(database.sql, [first, second])).toEqual(['0002_add_one']);
    expect(await things()).toBe(2);
  });

  it('runs each migration once when twenty runners start at once', async () => {
    const runners = Array.from({ length: 20 }, () => database.connect({ poolMax: 1 }));
    const done = await Promise.all(runners.map((sql) => migrate(sql, [first])));
    expect(done.flat()).toEqual(['0001_make_a_table']);
    expect(await things()).toBe(1);
  });

  it('leaves nothing of a migration that fails half-way, and runs it again next time', async () => {
    const broken = { ...first, statements: `${first.statements} select 1/0;` };
    await expect(migrate(database.sql, [broken])).rejects.toThrow('division by zero');
    expect(await migrate(database.sql, [first])).toEqual(['0001_make_a_table']);
    expect(await things()).toBe(1);
  });

  it('waits for another runner for as long as its migration takes', async () => {
    const slow = { ...first, statements: `${first.statements} select pg_sleep(1.5);` };
    const impatient = database.connect({ poolMax: 1 });
    await impatient`set lock_timeout = '300ms'`;
    await impatient`set statement_timeout = '500ms'`;
    const running = migrate(database.sql, [slow]);
    await eventually(async () => {
      const [asleep] = await database.sql`
        select from pg_stat_activity
         where datname = current_database() and wait_event = 'PgSleep'`;
      expect(asleep).toBeDefined();
    });
    expect(await migrate(impatient, [slow])).toEqual([]);
    expect(await running).toEqual(['0001_make_a_table']);
  });

  it('refuses a database that a newer release has migrated, and names both', async () => {
    await migrate(database.sql, [first, { number: 2, name: '0002_later', statements: 'select 1' }]);
    const refused = migrate(database.sql, [first]);
    await expect(refused).rejects.toThrow(DatabaseTooNew);
    await expect(refused).rejects.toThrow(/at migration 0002_later, .* knows 1 migration/);
  });
});

describe('readMigrations', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'errand-test-migrations-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const write = (...names: string[]) =>
    Promise.all(names.map((name) => writeFile(join(folder, name), `-- ${name}`)));
  const read = () => readMigrations(pathToFileURL(`${folder}/`));

  it('reads the files in the order of their numbers', async () => {
    await write('0002_second.sql', '0001_first.sql', '0003_third.sql', 'README.md');
    expect((await read()).map(({ name }) => name)).toEqual([
      '0001_first',
      '0002_second',
      '0003_third',
    ]);
  });

  it.each([
    ['a gap', ['0001_first.sql', '0003_third.sql'], '0003_third.sql'],
    ['a start other than 1', ['0002_second.sql'], '0002_second.sql'],
    ['a number that is there twice', ['0001_a.sql', '0001_b.sql'], '0001_b.sql'],
    ['a name without a number', ['0001_first.sql', 'second.sql'], 'second.sql'],
    ['capital letters', ['0001_First.sql'], '0001_First.sql'],
  ])('refuses %s and names the file', async (_what, names, culprit) => {
    await write(...names);
    await expect(read()).rejects.toThrow(culprit);
  });
});
