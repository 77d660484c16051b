import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const project = join(import.meta.dirname, '../..');
const read = (path: string) => readFileSync(join(project, path), 'utf8');

it('docs/queues.md has a row for every property of the contract, and none besides', () => {
  const properties = read('test/contract/task-queue.ts').matchAll(/\n {4}it\('([^']+)'/g);
  const [, table = ''] = read('docs/queues.md').split('| property');
  const rows = (table.split('\n\n')[0] ?? '').matchAll(/\n\| ([^-|][^|]*?) +\|/g);
  expect(Array.from(rows, ([, row]) => row)).toEqual(Array.from(properties, ([, name]) => name));
});
