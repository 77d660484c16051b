import { Bubblewrap } from './bubblewrap.ts';
import { unsafeNone } from './none.ts';
import { probeIsolation } from './probe.ts';
import type { Sandbox } from './sandbox.ts';

/** `auto`: the strongest tier that holds on this host. */
export type SandboxChoice = 'auto' | 'namespaces' | 'unsafe-none';

/**
 * Opens the sandbox and shows that it isolates, or refuses: it never goes down a tier quietly.
 * @throws SandboxError that says what does not hold here, and the remedy where one is known.
 */
export async function openSandbox(choice: SandboxChoice): Promise<Sandbox> {
  if (choice === 'unsafe-none') return unsafeNone;
  const sandbox = new Bubblewrap();
  try {
    await probeIsolation(sandbox);
    return sandbox;
  } catch (error) {
    await sandbox.close();
    throw error;
  }
}
