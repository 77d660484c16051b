import { spawnSync } from 'node:child_process';

/**
 * The prefix that makes a program receive the signal when we die, whatever kills us: for programs
 * that do not watch their parent themselves (PR_SET_PDEATHSIG, through setpriv of util-linux).
 * Where that is not to be had, the prefix is empty, and the next start ends what was left behind.
 */
export function dyingWithParent(signal: NodeJS.Signals): string[] {
  const prefix = ['setpriv', '--pdeathsig', signal.replace('SIG', ''), '--'];
  const [file = '', ...args] = prefix;
  available ??= spawnSync(file, [...args, 'true']).status === 0;
  return available ? prefix : [];
}

let available: boolean | undefined;
