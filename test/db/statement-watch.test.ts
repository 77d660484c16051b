import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { connect } from '../../lib/db/connection.ts';
import { watchStatements } from '../../lib/db/statement-watch.ts';
import { recordTo } from '../../lib/observability/metrics.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { keptLog } from '../support/kept-log.ts';

const database = useDatabase({ empty: true });
const { logger, lines } = keptLog();

/** What was recorded, by metric and labels. */
const recorded = new Map<string, number>();
const record = (name: string, labels: object, value: number) =>
  recorded.set(`${name} ${Object.values(labels).join(' ')}`.trim(), value);

function open(poolMax: number) {
  recordTo({ count: record, observe: record, set: record });
  const watch = watchStatements({ poolMax, logger });
  return {
    watch,
    sql: connect({ url: database.url, poolMax, prepare: true, observe: watch.observe }),
  };
}

afterEach(() => {
  recordTo(undefined);
  recorded.clear();
});

describe('watchStatements', () => {
  it('measures a statement under its name, whether it works or not', async () => {
    const { sql } = open(1);
    await sql`/* works */ select 1`;
    await expect(sql`/* fails */ select * from nothing`).rejects.toThrow('nothing');
    await sql`select 1`;
    expect([...recorded.keys()]).toEqual([
      'errand_statement_duration_seconds works ok',
      'errand_statement_duration_seconds fails failed',
      'errand_statement_duration_seconds unnamed ok',
    ]);
    await sql.end();
  });

  it('measures a statement as one, also when it is made of several', async () => {
    const { sql } = open(1);
    await sql`/* outer */ select ${sql`/* inner */ 1`} as one`;
    expect([...recorded.keys()]).toEqual(['errand_statement_duration_seconds outer ok']);
    await sql.end();
  });

  it('tells how many connections are in use, and how many statements wait for one', async () => {
    const { sql, watch } = open(2);
    const asleep = Array.from({ length: 5 }, () => sql`/* nap */ select pg_sleep(0.3)`.execute());
    await eventually(() => {
      watch.measure();
      expect(recorded.get('errand_database_connections in_use')).toBe(2);
    });
    expect(recorded.get('errand_database_connections max')).toBe(2);
    expect(recorded.get('errand_database_waiting_statements')).toBe(3);
    await Promise.all(asleep);
    watch.measure();
    expect(recorded.get('errand_database_connections in_use')).toBe(0);
    expect(recorded.get('errand_database_waiting_statements')).toBe(0);
    await sql.end();
  });

  it('tells of a slow statement in the log, by its name', async () => {
    const { sql } = open(1);
    await sql`/* doze */ select pg_sleep(1.1)`;
    expect(lines()).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: 'a slow statement', statement: 'doze' }),
    );
    await sql.end();
  });
});

describe('every statement of errand', () => {
  const lib = join(import.meta.dirname, '../../lib');
  const sources = readdirSync(lib, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join(lib, path), 'utf8'));
  // Awaited, or with the type of its rows; a part of another statement is neither.
  const statements = sources.flatMap((source) => [
    ...source.matchAll(/(?:await sql(?:<[^`]*>)?|[^\w]sql<[^`]*>)`([^\n]*)/g),
  ]);

  it('has a name of its own', () => {
    const names = statements.map(([, start = '']) => /^\/\* (\w+) \*\//.exec(start)?.[1] ?? start);
    expect(names.length).toBeGreaterThan(40);
    expect(names.filter((name) => !/^\w+$/.test(name))).toEqual([]);
    expect(new Set(names).size).toBe(names.length);
  });
});
