import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const TESTS = join(import.meta.dirname, '..');
const DOCUMENT = join(TESTS, '../docs/failure-modes.md');

/** The rows that tell of a failure: not the heads of the tables, nor their rules. */
const rows = readFileSync(DOCUMENT, 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| ') && !/^\| (what breaks|---)/.test(line));

/** `file: _name of the test_`, as a row cites it. */
const citations = rows.flatMap((row) =>
  Array.from(row.matchAll(/([a-z/-]+): _([^_]+)_/g), ([, file = '', name = '']) => ({
    file,
    name,
  })),
);

const sourceOf = (file: string) => readFileSync(join(TESTS, `${file}.test.ts`), 'utf8');

describe('docs/failure-modes.md', () => {
  it('names a test in every row', () => {
    expect(rows.filter((row) => !/: _[^_]+_/.test(row))).toEqual([]);
    expect(citations.length).toBeGreaterThan(30);
  });

  it.each(citations)('cites a test that exists: $file, $name', ({ file, name }) => {
    expect(sourceOf(file)).toContain(name);
  });
});
