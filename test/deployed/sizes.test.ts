import { chmod, mkdir, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { startEnvironment, unpack } from './environment.ts';

const KB = 1000;
const ROUNDS = 9;

describe('the packages', () => {
  // The aim for the create path is 150 kB; it has what all functions of the API share.
  it('have less than 300 kB each, and the create path less than 175 kB', async () => {
    const zips = (await readdir(inject('packaged'))).filter((name) => name.endsWith('.zip'));
    const sizes = await Promise.all(
      zips.map(async (name) => [name, (await stat(join(inject('packaged'), name))).size] as const),
    );
    console.log(sizes.map(([name, bytes]) => `${name} ${Math.round(bytes / KB)} kB`).join('\n'));
    // The page of the API is a program of its own, for browsers.
    const others = sizes.filter(([name]) => name !== 'get-docs.zip');
    for (const [, bytes] of others) expect(bytes).toBeLessThan(300 * KB);
    expect(Object.fromEntries(sizes)['create-task.zip']).toBeLessThan(175 * KB);
  });
});

describe('the create path', () => {
  let empty: string;
  beforeAll(async () => {
    empty = await mkdtemp(join(inject('packaged'), 'empty-'));
    await chmod(empty, 0o755);
    await mkdir(join(empty, 'functions'));
    await writeFile(join(empty, 'functions/empty.mjs'), 'export const handler = async () => ({});');
  });

  // The aim is twice. Reading 390 KB of code costs the rest, and most of it is the SDK's and zod's.
  it('starts in less than four times the time of an empty handler', async () => {
    const task = await unpack('create-task');
    const times: Record<'empty' | 'create', number[]> = { empty: [], create: [] };
    // In turn, so that a busy moment of this machine meets both.
    for (let round = 0; round < ROUNDS; round += 1) {
      times.empty.push(await initOf(empty, 'functions/empty.handler'));
      times.create.push(await initOf(task, 'functions/create-task.handler'));
    }
    const [emptyMs, createMs] = [median(times.empty), median(times.create)];
    console.log(
      `median init of ${ROUNDS}: empty ${emptyMs.toFixed(0)} ms, create-task ${createMs.toFixed(0)} ms`,
    );
    expect(createMs).toBeLessThan(4 * emptyMs);
  });
});

async function initOf(task: string, handler: string): Promise<number> {
  const environment = await startEnvironment({ task, handler });
  await environment.close();
  return environment.initMs;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
