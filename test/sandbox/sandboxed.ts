import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe } from 'vitest';
import { openSandbox } from '../../lib/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { type Run, runIn } from './sandbox-run.ts';

const never = new Promise<never>(() => {});

/** A suite against the real bubblewrap. Without it: skipped on a laptop, failing in CI. */
export function describeSandboxed(name: string, body: (run: Run) => void): void {
  const missing = spawnSync('bwrap', ['--version']).status !== 0;
  if (missing && process.env.CI === undefined) {
    describe.skip(`${name} (skipped: bubblewrap is not installed)`, () => body(() => never));
    return;
  }
  describe(name, () => {
    let sandbox: Sandbox;
    beforeAll(async () => {
      sandbox = await openSandbox('namespaces');
    });
    afterAll(() => sandbox?.close());
    body((...args) => runIn(sandbox)(...args));
  });
}
