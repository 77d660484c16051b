import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { converse } from '../../lib/sandbox/launcher.ts';
import { usualLimits } from './launcher-fixture.ts';

const binary = join(import.meta.dirname, '../../native/prebuilt/linux-arm64/launcher');
const emulator = ['qemu-aarch64-static', 'qemu-aarch64'].find(
  (name) => spawnSync(name, ['--version']).status === 0,
);
const missing = emulator === undefined && process.env.CI === undefined;

/**
 * What user-mode emulation can show: the binary starts, speaks the protocol and tells endings. It
 * passes system calls on to this kernel without namespaces, Landlock or seccomp, so that no tier
 * that isolates can be tried; the command itself is a program of this machine.
 */
describe.skipIf(missing)('the launcher for arm64 (qemu-user; skipped where it is missing)', () => {
  async function run(command: string) {
    const scratch = mkdtempSync(join(tmpdir(), 'errand-test-')); // the launcher removes it
    const child = spawn(
      emulator ?? 'qemu-aarch64-static',
      [binary, 'run', '--connection', '3', '--tier', 'none', '--scratch', scratch],
      { env: {}, stdio: ['ignore', 'ignore', 'inherit', 'pipe'] },
    );
    return converse(child.stdio[3] as Duplex, {
      command: {
        program: { kind: 'shell', command },
        stdin: Buffer.from('fed'),
        env: { GREETING: 'hello' },
      },
      limits: usualLimits,
      onOutput: () => {},
      signal: new AbortController().signal,
    });
  }

  it('runs a command with its input and environment', async () => {
    const { ending, stdout } = await run('echo "$GREETING $(cat)"');
    expect(ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(stdout.bytes.toString()).toBe('hello fed\n');
  });

  it.each([
    ['exit 7', { kind: 'exited', exitCode: 7 }],
    ['kill -TERM $$', { kind: 'signalled', signal: 'SIGTERM' }],
  ])('tells how a command ended: %s', async (command, ending) => {
    expect((await run(command)).ending).toEqual(ending);
  });
});
