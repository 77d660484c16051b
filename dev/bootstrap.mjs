/**
 * `node dev/bootstrap.mjs <script> [arguments]`: runs a script of this project with the project's
 * own Node and dependencies, and installs them first when they are missing or out of date. So
 * `npm start` and `npm test` work in a fresh clone, with any Node from 20 on.
 */
import { spawn } from 'node:child_process';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ended, forwardSignals } from './child.mjs';
import { ensureDependencies, nodeOf } from './dependencies.mjs';

const PARENT_CHECK_MS = 200;

const [script, ...args] = process.argv.slice(2);
if (script === undefined) {
  console.error('usage: node dev/bootstrap.mjs <script> [arguments]');
  process.exit(2);
}
const project = dirname(dirname(fileURLToPath(import.meta.url)));
try {
  await ensureDependencies(project);
} catch (error) {
  console.error(error.message);
  process.exit(1);
}
await run(nodeOf(project), [resolve(project, script), ...args]);

/** Runs the script to its end and ends the same way: same exit code, same signal. */
async function run(node, args) {
  const { ppid } = process;
  const child = spawn(node, args, {
    stdio: 'inherit',
    env: { ...process.env, ERRAND_BOOTSTRAP_PID: String(process.pid) },
  });
  const stopForwarding = forwardSignals(child);
  // A killed npm, or a shell between it and us that dies of a signal, would leave us behind unseen.
  const byNpm = process.env.npm_lifecycle_event !== undefined;
  const watch = setInterval(() => {
    if (process.ppid === ppid) return;
    clearInterval(watch);
    child.kill('SIGTERM');
  }, PARENT_CHECK_MS);
  if (!byNpm) clearInterval(watch); // Then the parent is a shell, which may end before its jobs.

  const { code, signal } = await ended(child);
  clearInterval(watch);
  stopForwarding();
  if (signal !== null) process.kill(process.pid, signal);
  else process.exitCode = code;
}
