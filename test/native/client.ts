/** A worker to be killed: runs a command that never ends by itself, and says when it has begun. */
import type { LauncherOptions } from '../../lib/sandbox/launcher.ts';
import { makeLauncherSandbox } from '../../lib/sandbox/launcher.ts';

const [options = '', seconds = ''] = process.argv.slice(2);
const sandbox = makeLauncherSandbox(JSON.parse(options) as LauncherOptions);
const limits = {
  wallMs: 60_000,
  cpuMs: 60_000,
  memoryBytes: 256 * 2 ** 20,
  processes: 32,
  fileBytes: 2 ** 20,
  diskBytes: 2 ** 20,
  openFiles: 64,
  stdoutBytes: 2 ** 20,
  stderrBytes: 2 ** 20,
};
await sandbox.run(
  {
    program: {
      kind: 'shell',
      command: `trap '' TERM; echo started; setsid sleep ${seconds} & sleep ${seconds}`,
    },
    stdin: Buffer.of(),
    env: {},
  },
  limits,
  () => console.log('started'),
  new AbortController().signal,
);
