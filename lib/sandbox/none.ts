import { spawn } from 'node:child_process';
import { baseEnvironment } from './bubblewrap-arguments.ts';
import type { ProcessTree, TreeEnd } from './process.ts';
import { abortedBeforeStart, superviseTree } from './process.ts';
import { type Command, type Limits, type Sandbox, SandboxError } from './sandbox.ts';
import { argumentVector } from './supervisor.ts';

/**
 * Isolates nothing: the command can do all that the worker can. Of the limits only wall time and
 * output hold, and a process that leaves its group survives. For a machine of your own.
 */
export const unsafeNone: Sandbox = {
  tier: 'none',
  async run(command, limits: Limits, onOutput, signal) {
    if (signal.aborted) return abortedBeforeStart();
    return superviseTree(startTree(command), command, limits, onOutput, signal);
  },
  async close() {},
};

function startTree(command: Command): ProcessTree {
  // A shell in between, for its exit codes and words when there is no such program.
  const args = ['-c', 'exec "$0" "$@"', ...argumentVector(command.program)];
  const env = { ...baseEnvironment, HOME: '/', PWD: '/', ...command.env };
  const child = spawn('/bin/sh', args, { env, cwd: '/', detached: true, stdio: 'pipe' });
  const started = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<TreeEnd | null>();
  const signalGroup = (signal: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, signal);
    } catch {
      // the group is gone
    }
  };
  child.once('spawn', started.resolve);
  child.once('error', (cause) => {
    ended.reject(new SandboxError(`the command did not start: ${cause.message}`, { cause }));
  });
  child.once('exit', (exitCode, signal) => {
    signalGroup('SIGKILL'); // what it left running would hold the pipes open
    const end: TreeEnd['end'] =
      signal === null ? { kind: 'exited', exitCode: exitCode ?? 0 } : { kind: 'signalled', signal };
    ended.resolve({ end, endedAtMs: performance.now(), cpuMs: null, maxRssBytes: null });
  });
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    started: started.promise,
    ended: ended.promise,
    terminate: () => signalGroup('SIGTERM'),
    kill: () => signalGroup('SIGKILL'),
    memoryBytes: () => null,
  };
}
