import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { nameSourcesInStackTraces } from '../../lib/observability/stack-traces.ts';

// test/deployed/database.test.ts looks at the traces of packaged functions.

const SOURCE = `

export function fail(error) { throw error ?? new TypeError('broken'); }
`;

let folder: string;
const { prepareStackTrace } = Error;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'errand-stacks-'));
  await writeFile(join(folder, 'broken.ts'), SOURCE);
});
afterAll(() => rm(folder, { recursive: true }));

const load = createRequire(import.meta.url);

function stackOf(file: string, error?: unknown): string {
  // By Node itself: Vitest would make other code of it.
  const { fail } = load(join(folder, file));
  nameSourcesInStackTraces();
  try {
    fail(error);
    return '';
  } catch (caught) {
    return (caught as Error).stack ?? '';
  } finally {
    Error.prepareStackTrace = prepareStackTrace;
  }
}

const bundle = (file: string, sourcemap: boolean) =>
  build({
    entryPoints: [join(folder, 'broken.ts')],
    outfile: join(folder, file),
    minify: true,
    format: 'esm',
    sourcemap,
  });

describe('nameSourcesInStackTraces', () => {
  it('names the line that was written', async () => {
    await bundle('mapped.mjs', true);
    expect(stackOf('mapped.mjs')).toMatch(/^TypeError: broken\n {4}at .*\(broken\.ts:3:\d+\)\n/);
  });

  it('leaves a trace as it is where there is no map', async () => {
    await bundle('bare.mjs', false);
    expect(stackOf('bare.mjs')).toMatch(/^TypeError: broken\n {4}at .*\/bare\.mjs:1:\d+\)\n/);
  });

  it('puts up with an error that does not want to be one', async () => {
    await bundle('odd.mjs', true);
    class Odd extends Error {
      override toString(): string {
        throw new Error('no');
      }
    }
    expect(stackOf('odd.mjs', new Odd())).toMatch(/^Error\n {4}at /);
  });
});
