import { chmodSync, mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { ISOLATING_TIERS, openSandbox, tryTier } from '../../lib/sandbox/open-sandbox.ts';
import { probeIsolation } from '../../lib/sandbox/probe.ts';
import { remedyFor } from '../../lib/sandbox/remedies.ts';
import { childrenOf } from '../support/processes.ts';
import { runIn, text } from './sandbox-run.ts';

describe('openSandbox', () => {
  it('takes the strongest tier that holds', async () => {
    const sandbox = await openSandbox('auto', () => expect.unreachable('the strongest one holds'));
    expect(sandbox.tier).toBe('namespaces');
    await sandbox.close();
  });

  it.each(ISOLATING_TIERS)('opens %s when that is asked for by name', async (tier) => {
    const sandbox = await openSandbox(tier);
    expect(sandbox.tier).toBe(tier);
    await sandbox.close();
  });

  it('leaves nothing behind once it is closed', async () => {
    // A folder of our own: others make sandboxes in the usual one at the same time.
    const own = mkdtempSync(join(tmpdir(), 'errand-test-'));
    chmodSync(own, 0o755);
    vi.stubEnv('TMPDIR', own);
    const folders = () => readdirSync(own);
    const descriptors = () => readdirSync('/proc/self/fd').length;
    const before = {
      folders: folders(),
      descriptors: descriptors(),
      launchers: childrenOf(process.pid),
    };
    const sandbox = await openSandbox('auto');
    await sandbox.close();
    expect({
      folders: folders(),
      descriptors: descriptors(),
      launchers: childrenOf(process.pid),
    }).toEqual(before);
    vi.unstubAllEnvs();
    rmdirSync(own);
  });
});

describe('probeIsolation', () => {
  it('finds that no isolation does not isolate', async () => {
    const sandbox = await openSandbox('unsafe-none');
    await expect(probeIsolation(sandbox)).rejects.toThrow('could read a file of this host');
    await sandbox.close();
  });

  it('tells why a tier does not hold, with the remedy', async () => {
    const refused = await tryTier('none');
    expect(refused).toEqual({ tier: 'none', reason: 'a command could read a file of this host' });
    expect(remedyFor('spawn /nowhere ENOENT')).toContain('Linux, x64 and arm64');
  });
});

describe('unsafe-none', () => {
  it('runs a command, without isolation', async () => {
    const sandbox = await openSandbox('unsafe-none');
    const outcome = await runIn(sandbox)('cat; exit 3', { stdin: Buffer.from('hello') });
    await sandbox.close();
    expect(text(outcome)).toBe('hello');
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 3 });
  });
});
