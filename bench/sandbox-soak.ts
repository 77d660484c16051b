/**
 * Ten thousand executions in a row with every kind of ending, then: what is left? Prints what it
 * found and ends with exit code 1 when anything was. `npm run bench:sandbox:soak [executions]`
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ISOLATING_TIERS } from '../lib/sandbox/open-sandbox.ts';
import { soak } from '../test/sandbox/soak.ts';

const folder = mkdtempSync(join(tmpdir(), 'errand-soak-')); // to tell ours from those of others
chmodSync(folder, 0o711); // commands with a uid of their own go through it
process.env.TMPDIR = folder;
const executions = Number(process.argv[2] ?? 10_000);
for (const tier of ISOLATING_TIERS) {
  const { leaks, perSecond, worker, launchers } = await soak(tier, executions);
  const growth = worker.end - worker.warm;
  console.log(`${tier}: ${executions} executions, ${perSecond.toFixed(0)} per second`);
  console.log(
    `  worker    ${worker.quarters.map((mb) => mb.toFixed(0)).join(', ')} MB RSS, by quarter`,
  );
  console.log(`  worker    ${growth.toFixed(1)} MB from warm to end`);
  console.log(`  launchers ${launchers.warm.toFixed(1)} -> ${launchers.end.toFixed(1)} MB RSS`);
  console.log(`  left      ${leaks.length === 0 ? 'nothing' : leaks.join('; ')}`);
  if (leaks.length > 0) process.exitCode = 1;
}
rmSync(folder, { recursive: true });
