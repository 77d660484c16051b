import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { type RunningStack, useStack } from './local-stack.ts';

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8');

/** The shell blocks with requests to the API, in the order in which they are read. */
const blocks = Array.from(README.matchAll(/```sh\n(.*?)```/gs), ([, block = '']) => block).filter(
  (block) => block.includes('curl') && block.includes('localhost:3500'),
);

/** Blocks that ask for what the others do not have: a key, or a task's id put in by hand. */
const NEEDS = {
  key: /Authorization: Bearer/,
  id: /<id>/,
};

/** Runs a block as a reader does, but asks curl for the status of each answer as well. */
async function run(
  stack: RunningStack,
  block: string,
): Promise<{ statuses: number[]; output: string }> {
  const script = `
    curl() { command curl --silent --show-error --write-out '%{stderr}%{http_code}\\n' "$@"; }
    set -e
    ${block.replaceAll('http://localhost:3500', stack.url)}`;
  const shell = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, told, [code]] = await Promise.all([
    text(shell.stdout),
    text(shell.stderr),
    once(shell, 'close'),
  ]);
  const lines = told.trim().split('\n');
  expect([code, lines.filter((line) => !/^\d{3}$/.test(line))]).toEqual([0, []]);
  return { statuses: lines.map(Number), output };
}

describe('the README', () => {
  const stack = useStack();

  async function anEndedTask(): Promise<string> {
    return eventually(async () => {
      const { items } = (await (await fetch(`${stack.url}/api/tasks?status=succeeded`)).json()) as {
        items: { id: string }[];
      };
      expect(items.length).toBeGreaterThan(0);
      return items[0]?.id ?? '';
    }, 10_000);
  }

  it('shows no request that is not run here', () => {
    const requests = (text: string) => text.match(/\bcurl .*/g)?.length ?? 0;
    const code = Array.from(README.matchAll(/^```\w*\n(.*?)^```/gms), ([, block]) => block).join(
      '',
    );
    expect(requests(code)).toBe(requests(blocks.join('')));
    expect(blocks.length).toBeGreaterThanOrEqual(9);
  });

  it.each(blocks.filter((block) => !NEEDS.key.test(block)))(
    'shows requests that are answered as it says: %s',
    async (block) => {
      const filled = NEEDS.id.test(block) ? block.replaceAll('<id>', await anEndedTask()) : block;
      const { statuses } = await run(stack, filled);
      expect(statuses).toHaveLength(block.match(/(^|\()curl /gm)?.length ?? 0);
      expect(statuses.filter((status) => status < 200 || status > 202)).toEqual([]);
    },
    60_000,
  );

  it('shows output while a command runs, and the plain text of it', async () => {
    const watched = blocks.find((block) => block.includes('Accept: text/plain')) ?? '';
    const { output } = await run(stack, watched);
    expect(output).toContain('line 1\nline 2\nline 3\n');
  }, 60_000);
});

describe('the README, on API keys', () => {
  const stack = useStack(() => ({ AUTH: 'keys' }));

  const keyed = blocks.filter((block) => NEEDS.key.test(block));

  const statusOf = async (headers: Record<string, string>) =>
    (await fetch(`${stack.url}/api/tasks`, { headers })).status;

  it('has a key made that opens the API, and stops to when it is revoked', async () => {
    const keys = async (...args: string[]) => {
      const command = ['run', '--silent', 'keys', '--', ...args, '--json'];
      const child = spawn('npm', command, {
        cwd: stack.checkout.directory,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      return JSON.parse(await text(child.stdout));
    };
    expect(await statusOf({})).toBe(401);
    const created = await keys('create', '--name', 'laptop', '--expires', '90d');
    const headers = { authorization: `Bearer ${created.apiKey}` };
    expect(keyed).toHaveLength(1);
    for (const block of keyed) {
      // As a reader does who has made a key: it is put in by hand.
      const filled = block.replace(/^npm run keys .*$/m, '').replace('errand_...', created.apiKey);
      expect(await run(stack, filled)).toMatchObject({ statuses: [200] });
    }
    await keys('revoke', created.id);
    expect(await statusOf(headers)).toBe(401);
  }, 60_000);
});
