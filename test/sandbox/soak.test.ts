import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ISOLATING_TIERS } from '../../lib/sandbox/open-sandbox.ts';
import { soak } from './soak.ts';

const executions = 300;

describe('hundreds of commands with mixed endings', () => {
  const outer = process.env.TMPDIR;
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'errand-test-')); // to tell ours from those of other tests
    chmodSync(folder, 0o711); // commands with a uid of their own go through it
    process.env.TMPDIR = folder;
  });
  afterAll(() => {
    if (outer === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = outer;
    rmSync(folder, { recursive: true });
  });

  it.each(ISOLATING_TIERS)(
    'leave no process, descriptor, mount, cgroup or file (%s)',
    async (tier) => {
      const { leaks, worker } = await soak(tier, executions);
      expect(leaks).toEqual([]);
      expect(worker.end - worker.warm).toBeLessThan(100);
    },
    60_000,
  );
});
