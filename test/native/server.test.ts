import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { childrenOf, processesWith, uniqueSeconds } from '../support/processes.ts';
import { open, POOL, run, text, variants } from './launcher-fixture.ts';

const clientScript = join(import.meta.dirname, 'client.ts');

const descendants = (pid: number): number =>
  childrenOf(pid).reduce((sum, child) => sum + 1 + descendants(child), 0);

/** Launchers whose parent has died. */
function orphans(): number[] {
  return childrenOf(1).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('launcher');
    } catch {
      return false; // It has gone meanwhile.
    }
  });
}

describe('launcher server', () => {
  it.each(variants())('takes everything with it when it is killed, $name', async ({ options }) => {
    const sandbox = open(options);
    const seconds = uniqueSeconds();
    const started = new Promise<void>((resolve) => {
      const running = run(sandbox, `setsid sleep ${seconds} & echo up; sleep ${seconds}`, {
        onOutput: () => resolve(),
      });
      running.catch(() => {});
    });
    await started;
    const server = childrenOf(process.pid).find((pid) =>
      readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('launcher'),
    );
    expect(server).toBeDefined();
    process.kill(server ?? 0, 'SIGKILL');
    await eventually(() => expect(processesWith(seconds)).toEqual([]));
    await sandbox.close();
  });

  it.each(variants())('leaves nothing when its client is killed, $name', async ({ options }) => {
    const seconds = uniqueSeconds();
    const before = readdirSync(tmpdir());
    const client = spawn(process.execPath, [clientScript, JSON.stringify(options), seconds], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(client.stdout, 'data');
    expect(processesWith(seconds)).not.toEqual([]);
    client.kill('SIGKILL');
    await eventually(() => expect(processesWith(seconds)).toEqual([]));
    // What the test before this one left may still be on its way out.
    const added = () => readdirSync(tmpdir()).filter((name) => !before.includes(name));
    await eventually(() => expect(added()).toEqual([]));
  });

  it.each(variants())(
    'leaves nothing when its client is killed while it starts, $name',
    async ({ options }) => {
      const before = readdirSync(tmpdir());
      const known = new Set(orphans());
      for (let round = 0; round < 5; round++) {
        const client = spawn(process.execPath, [clientScript, JSON.stringify(options), '1'], {
          stdio: 'ignore',
        });
        const killed = once(client, 'exit');
        await eventually(() => expect(childrenOf(client.pid ?? 0)).not.toEqual([]));
        client.kill('SIGKILL');
        await killed;
      }
      await eventually(() => expect(orphans().filter((pid) => !known.has(pid))).toEqual([]));
      const added = () => readdirSync(tmpdir()).filter((name) => !before.includes(name));
      await eventually(() => expect(added()).toEqual([]));
    },
  );

  it.each(variants())('starts again after it was killed, $name', async ({ options }) => {
    const sandbox = open(options);
    expect(text(await run(sandbox, 'echo 1'))).toBe('1\n');
    for (const pid of childrenOf(process.pid)) {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('launcher'))
        process.kill(pid, 'SIGKILL');
    }
    await eventually(() => expect(childrenOf(process.pid)).toEqual([]));
    expect(text(await run(sandbox, 'echo 2'))).toBe('2\n');
    await sandbox.close();
  });

  it.each(variants())('leaks nothing in 400 commands, $name', async ({ options }) => {
    const sandbox = open(options);
    await run(sandbox, 'true');
    const count = () => ({
      processes: descendants(process.pid),
      mounts: readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes('errand')).length,
      files: readdirSync(tmpdir(), { recursive: true }).length,
      descriptors: readdirSync('/proc/self/fd').length,
    });
    const before = count();
    const commands = ['echo hello', 'exit 3', 'kill -9 $$', 'sleep 100 & true', 'echo x > f'];
    let left = 400;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (left-- > 0) await run(sandbox, commands[left % commands.length] ?? '');
      }),
    );
    // The pool fills up meanwhile; a leak of one command in five would leave 80 more.
    const prepared = 3 * POOL;
    await eventually(() => {
      const after = count();
      expect(after.processes).toBeLessThanOrEqual(before.processes + prepared);
      expect(after.mounts).toBe(before.mounts);
      expect(after.files).toBeLessThanOrEqual(before.files + prepared);
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
    });
    await sandbox.close();
    expect(childrenOf(process.pid)).toEqual([]);
  });
});
