import type { Progress } from './progress.ts';
import { isLoopback, type Settings } from './settings.ts';

/** Tells at every start who gets in, and warns where that is anybody. */
export function tellAccess(progress: Progress, { auth, host }: Settings): void {
  if (auth === 'keys') {
    progress.done('access', 'API keys alone; npm run keys -- create --name me makes one');
  } else if (isLoopback(host)) {
    progress.done('access', 'whoever is on this machine (AUTH=none)');
  } else {
    progress.missing(
      'access',
      `NONE ASKED FOR: whoever reaches ${host} runs commands and reads all results (AUTH=none)`,
    );
  }
}
