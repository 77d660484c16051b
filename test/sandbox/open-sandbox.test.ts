import { chmodSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Bubblewrap } from '../../lib/sandbox/bubblewrap.ts';
import { hostMounts } from '../../lib/sandbox/bubblewrap-arguments.ts';
import { unsafeNone } from '../../lib/sandbox/none.ts';
import { openSandbox } from '../../lib/sandbox/open-sandbox.ts';
import { probeIsolation } from '../../lib/sandbox/probe.ts';
import { SandboxError } from '../../lib/sandbox/sandbox.ts';
import { runIn, text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';

describeSandboxed('openSandbox', () => {
  it('takes the strongest tier that holds', async () => {
    const sandbox = await openSandbox('auto');
    expect(sandbox.tier).toBe('namespaces');
    await sandbox.close();
  });

  it('leaves nothing behind once it is closed', async () => {
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = descriptors();
    const sandbox = await openSandbox('auto');
    await sandbox.close();
    expect(descriptors()).toBeLessThanOrEqual(before);
    await expect(runIn(sandbox)('true')).rejects.toThrow(SandboxError);
  });

  it('finds that no isolation does not isolate', async () => {
    await expect(probeIsolation(unsafeNone)).rejects.toThrow('could read a file of this host');
  });
});

describe('a bubblewrap that does not work', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'errand-test-'));
    chmodSync(folder, 0o755);
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What a probe says of a program that stands in for bwrap. */
  async function complaintAbout(script: string | null): Promise<string> {
    const path = join(folder, 'bwrap');
    if (script !== null) writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
    const sandbox = new Bubblewrap(path);
    const error: unknown = await probeIsolation(sandbox).catch((reason) => reason);
    await sandbox.close();
    expect(error).toBeInstanceOf(SandboxError);
    return (error as SandboxError).message;
  }

  it('is named with the package to install when it is missing', async () => {
    const complaint = await complaintAbout(null);
    expect(complaint).toContain('ENOENT');
    expect(complaint).toContain('apt-get install bubblewrap');
  });

  it('is quoted when it cannot set up the sandbox', async () => {
    const complaint = await complaintAbout(
      'echo "bwrap: setting up uid map: Permission denied" >&2; exit 1',
    );
    expect(complaint).toContain('bwrap: setting up uid map: Permission denied');
    expect(complaint).toMatch(/sysctl -w|--security-opt/);
  });

  it('is called too old when it does not know an option', async () => {
    const complaint = await complaintAbout(
      'echo "bwrap: Unknown option --disable-userns" >&2; exit 1',
    );
    expect(complaint).toContain('0.8 is the first');
  });

  it('asks for Perl when the supervisor cannot start', async () => {
    const complaint = await complaintAbout(
      'echo "bwrap: execvp /usr/bin/perl: No such file or directory" >&2; exit 1',
    );
    expect(complaint).toContain('apt-get install perl-base');
  });
});

describe('hostMounts', () => {
  it('hides the project where it lies in /usr', () => {
    const mounts = hostMounts(['/usr/src/app', '/home/me/errand']).join(' ');
    expect(mounts).toContain('--tmpfs /usr/src/app --remount-ro /usr/src/app');
    expect(mounts).not.toContain('/home');
  });
});

describe('unsafeNone', () => {
  const run = runIn(unsafeNone);

  it('runs a command, without isolation', async () => {
    const outcome = await run('cat; exit 3', { stdin: Buffer.from('hello') });
    expect(text(outcome)).toBe('hello');
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 3 });
  });

  it('holds it to its wall time', async () => {
    const outcome = await run('sleep 60', { limits: { wallMs: 50 } });
    expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 50 });
  });

  it('tells a program that does not exist', async () => {
    expect((await run(['no-such-program'])).ending).toEqual({ kind: 'exited', exitCode: 127 });
  });
});
