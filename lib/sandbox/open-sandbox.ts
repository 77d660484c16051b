import { findPackageJSON } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeLauncherSandbox } from './launcher.ts';
import { probeIsolation } from './probe.ts';
import { remedyFor } from './remedies.ts';
import { type Sandbox, SandboxError, type SandboxTier } from './sandbox.ts';

/** `auto`: the strongest tier that holds on this host. (`runner` is not on this host: services.ts.) */
export type SandboxChoice = 'auto' | 'namespaces' | 'landlock' | 'unsafe-none';

/** The tiers that isolate on a host of ours, strongest first. */
export const ISOLATING_TIERS = ['namespaces', 'landlock'] as const;

/** Sandboxes that wait for their command. As many as a machine with two cores uses up at once. */
const POOL = 4;

/**
 * As root, commands run as uids of their own; what nobody else uses on a Linux with systemd is
 * 60578 to 61183 (systemd's UIDS-GIDS.md). The kernel counts the processes of a uid, so workers of
 * one host that shared them would have their commands fail to fork for those of others.
 */
const FIRST_UID = 60_664;
const UIDS_OF_A_WORKER = 64;
const BLOCKS_OF_UIDS = 8;

export interface Refusal {
  readonly tier: SandboxTier;
  /** What does not hold here. */
  readonly reason: string;
}

/**
 * Opens the strongest tier that shows, by behaviour, that it isolates here; `onRefusal` hears why a
 * stronger one does not. What it returns stays as strong: nothing ever goes down a tier later.
 * @throws SandboxError when nothing holds, with the reasons and the remedy
 */
export async function openSandbox(
  choice: SandboxChoice,
  onRefusal: (refusal: Refusal) => void = () => {},
): Promise<Sandbox> {
  if (choice === 'unsafe-none') return launcherSandbox('none');
  const reasons: string[] = [];
  for (const tier of choice === 'auto' ? ISOLATING_TIERS : [choice]) {
    const opened = await tryTier(tier);
    if (!('reason' in opened)) return opened;
    reasons.push(`${tier}: ${opened.reason}`);
    onRefusal(opened);
  }
  throw new SandboxError(
    `Commands cannot be isolated here. ${reasons.join(' ')} ${remedyFor(reasons.join(' '))}`,
  );
}

/** Opens one tier, or tells what of it does not hold here. */
export async function tryTier(tier: SandboxTier): Promise<Sandbox | Refusal> {
  const sandbox = launcherSandbox(tier);
  try {
    await probeIsolation(sandbox);
    return sandbox;
  } catch (error) {
    await sandbox.close();
    return { tier, reason: error instanceof Error ? error.message : String(error) };
  }
}

function launcherSandbox(tier: SandboxTier): Sandbox {
  const binary = `../../native/prebuilt/${process.platform}-${process.arch}/launcher`;
  return makeLauncherSandbox({
    binary: fileURLToPath(new URL(binary, import.meta.url)),
    tier,
    pool: POOL,
    hiddenPaths: ownFolders(),
    uid: FIRST_UID + UIDS_OF_A_WORKER * (process.pid % BLOCKS_OF_UIDS),
  });
}

/** Where our own code and settings lie: images often put them below `/usr/src`. */
function ownFolders(): string[] {
  const manifest = findPackageJSON(import.meta.url);
  return manifest === undefined ? [] : [dirname(manifest)];
}
