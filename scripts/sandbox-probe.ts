/** `npm run sandbox:probe`: which sandbox tiers hold on this host, which one results, and why. */
import { ISOLATING_TIERS, tryTier } from '../lib/sandbox/open-sandbox.ts';
import { remedyFor } from '../lib/sandbox/remedies.ts';

let chosen: string | undefined;
for (const tier of ISOLATING_TIERS) {
  const opened = await tryTier(tier);
  if ('reason' in opened) {
    console.log(
      `${tier.padEnd(12)} does not hold: ${opened.reason}\n${''.padEnd(13)}${remedyFor(opened.reason)}`,
    );
  } else {
    await opened.close();
    chosen ??= tier;
    console.log(`${tier.padEnd(12)} holds`);
  }
}
console.log(chosen ? `\nCommands run in: ${chosen}` : '\nCommands are refused on this host.');
process.exitCode = chosen ? 0 : 1;
