import { afterAll, beforeAll, describe } from 'vitest';
import { ISOLATING_TIERS, openSandbox } from '../../lib/sandbox/open-sandbox.ts';
import type { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { type Run, runIn } from './sandbox-run.ts';

export type Tier = (typeof ISOLATING_TIERS)[number];

/** A suite against the real sandbox, once for each tier that isolates on a host of ours. */
export function describeSandboxed(
  name: string,
  body: (run: Run, tier: Tier) => void,
  tiers: readonly Tier[] = ISOLATING_TIERS,
): void {
  describe.each(tiers)(`${name} (%s)`, (tier) => {
    let sandbox: Sandbox;
    beforeAll(async () => {
      sandbox = await openSandbox(tier);
    });
    afterAll(() => sandbox?.close());
    body((...args) => runIn(sandbox)(...args), tier);
  });
}
