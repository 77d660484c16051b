import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

/**
 * Hides this process from all others of its user, credentials above all: Lambda gives them to every
 * function, also to one without rights. Then it tries whether a child can still look.
 * @throws Error when it can
 */
export function hideProcess(addon: string): void {
  createRequire(import.meta.url)(addon);
  for (const name of Object.keys(process.env)) {
    if (/SECRET|TOKEN|ACCESS_KEY/.test(name)) delete process.env[name];
  }
  const look = 'cat /proc/$PPID/environ /proc/$PPID/maps /proc/$PPID/auxv | wc -c';
  const { stdout, error } = spawnSync('/bin/sh', ['-c', look], {
    env: { PATH: '/usr/bin:/bin' },
    encoding: 'utf8',
  });
  if (error) throw error;
  if (Number(stdout) !== 0) throw new Error('a command could look into the runner');
}
