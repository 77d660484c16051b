import { spawn, spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { processesWith, uniqueSeconds } from '../support/processes.ts';
import { describeSandboxed } from './sandboxed.ts';

const fixture = join(import.meta.dirname, 'fixtures/run-commands.ts');
const isRoot = process.getuid?.() === 0;
/** Nobody in particular, and not the user that root steps down to. */
const user = { uid: 65533, gid: 65533 };

describeSandboxed('a worker', () => {
  it.runIf(isRoot)('isolates as well when it is not root', () => {
    accessSync(fixture, constants.R_OK);
    const forks = '$n++ while defined($p = fork) && ($p || exit sleep 60) && $n < 500; print $n';
    const { stdout, stderr } = spawnSync(
      process.execPath,
      [
        fixture,
        'id -u; kill -9 $$',
        `perl -e '${forks}'`,
        'perl -e \'$x = "a" x (300 << 20); sleep 60\'',
      ],
      { ...user, env: {}, cwd: '/', encoding: 'utf8' },
    );
    const outcomes = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(outcomes, stderr).toHaveLength(3);
    expect(outcomes[0]).toEqual({
      ending: { kind: 'signalled', signal: 'SIGKILL' },
      stdout: '1000\n',
    });
    expect(Number(outcomes[1].stdout)).toBeLessThanOrEqual(20);
    expect(outcomes[2].ending.kind).toBe('outOfMemory');
  });

  it('hands none of the descriptors on that it has inherited itself', () => {
    const inherited = Array.from({ length: 40 }, (): 'pipe' => 'pipe');
    const { stdout } = spawnSync(process.execPath, [fixture, 'ls /proc/self/fd'], {
      env: {},
      stdio: ['ignore', 'pipe', 'ignore', ...inherited],
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout).stdout).toBe('0\n1\n2\n3\n');
  });

  it('takes its commands with it when it is killed', async () => {
    const seconds = uniqueSeconds();
    const command = `sleep ${seconds} & setsid sleep ${seconds} & echo started; wait`;
    const worker = spawn(process.execPath, [fixture, command], {
      env: {},
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await new Promise((resolve) => worker.stderr.once('data', resolve));
    await vi.waitFor(() => expect(processesWith(`sleep\0${seconds}`)).toHaveLength(2), 5000);
    worker.kill('SIGKILL');
    await vi.waitFor(() => expect(processesWith(`sleep\0${seconds}`)).toEqual([]), 5000);
  });
});
