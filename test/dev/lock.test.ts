import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { tryLock } from '../../dev/lock.ts';
import { Refusal } from '../../dev/refusal.ts';
import { eventually } from '../support/eventually.ts';

describe('tryLock', () => {
  let directory: string;
  let file: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'errand-lock-'));
    file = join(directory, 'lock');
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('is had by one at a time', () => {
    const first = tryLock(file);
    expect(first).toBeDefined();
    expect(tryLock(file)).toBeUndefined();

    first?.release();
    const second = tryLock(file);
    expect(second).toBeDefined();
    second?.release();
  });

  it('is had although somebody wrote into its file, and by one at a time', async () => {
    await writeFile(file, 'this is not a database, it is a text of some length\n'.repeat(100));
    const first = tryLock(file);
    expect(first).toBeDefined();
    expect(tryLock(file)).toBeUndefined();
    first?.release();
  });

  it('says what to do about a directory in its place', async () => {
    await mkdir(file);
    expect(() => tryLock(file)).toThrow(Refusal);
  });

  it('comes back when its holder is killed', async () => {
    const module = JSON.stringify(new URL('../../dev/lock.ts', import.meta.url).href);
    const holder = spawn(process.execPath, [
      '--input-type=module',
      '--eval',
      `import { tryLock } from ${module};
       console.log(tryLock(${JSON.stringify(file)}) ? 'held' : 'refused');
       setInterval(() => {}, 1000);`,
    ]);
    expect(String((await once(holder.stdout, 'data'))[0])).toBe('held\n');
    expect(tryLock(file)).toBeUndefined();

    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const lock = await eventually(() => {
      const taken = tryLock(file);
      expect(taken).toBeDefined();
      return taken;
    });
    lock?.release();
  });
});
