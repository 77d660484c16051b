import { spawn } from 'node:child_process';
import { existsSync, lstatSync, readFileSync, readlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ended, forwardSignals } from './child.mjs';
import { lockInstall } from './install-lock.mjs';

/** Installs what package-lock.json asks for, unless it is there. One process at a time does so. */
export async function ensureDependencies(project) {
  const stale = whyStale(project);
  if (stale === undefined) return;
  refuseLinked(project, stale);
  refuseWhileRunning(project, stale);
  const unlock = await lockInstall(project);
  try {
    const reason = whyStale(project); // Another process may have installed while we waited.
    if (reason === undefined) return;
    console.error(`errand: ${reason}; running npm ci, which takes about a minute`);
    await install(project);
    const remaining = whyStale(project);
    if (remaining !== undefined) throw new Error(`errand: after npm ci, ${remaining}`);
  } finally {
    unlock();
  }
}

/**
 * Why dependencies must be installed; undefined when they need not. npm writes what it installed to
 * node_modules/.package-lock.json as its last step, after the install scripts, so an interrupted
 * installation has no such file, and one made by hand counts.
 */
export function whyStale(project) {
  const installed = readPackages(join(project, 'node_modules', '.package-lock.json'));
  if (installed === undefined) return 'dependencies are not installed';
  const wanted = readPackages(join(project, 'package-lock.json')) ?? {};

  for (const [path, { version, integrity, optional }] of Object.entries(wanted)) {
    if (path === '') continue;
    const actual = installed[path];
    // npm leaves out optional packages of other platforms.
    if (actual === undefined && optional) continue;
    if (actual?.version !== version || actual?.integrity !== integrity) {
      return `dependencies are out of date (${path.replace(/^.*node_modules\//, '')})`;
    }
  }
  if (!existsSync(nodeOf(project))) {
    return 'the node package has no program (were install scripts switched off?)';
  }
  return undefined;
}

/** npm ci begins by emptying node_modules, and through a link that is another project's. */
function refuseLinked(project, stale) {
  const path = join(project, 'node_modules');
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return;
  throw new Error(
    `errand: ${stale}, and node_modules is a link to ${readlinkSync(path)}, which npm ci would empty.\n` +
      'Install there, or remove the link.',
  );
}

/** `npm start` loads modules as it needs them, until it ends. See dev/running-record.ts. */
function refuseWhileRunning(project, stale) {
  let pid;
  try {
    ({ pid } = JSON.parse(readFileSync(join(project, '.errand', 'running.json'), 'utf8')));
    process.kill(pid, 0);
  } catch {
    return; // Never started, stopped, or killed.
  }
  throw new Error(`errand: ${stale}, and errand runs with them (process ${pid}). Stop it first.`);
}

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

/** The Node that the project's tools need, from its own dependencies. */
export function nodeOf(project) {
  return join(project, 'node_modules', 'node', 'bin', 'node');
}

/** Quiet when it works; everything that npm said when it fails. */
async function install(project) {
  const npm = npmCommand();
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--foreground-scripts=false'];
  const child = spawn(npm[0], [...npm.slice(1), ...args], {
    cwd: project,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes) => {
      output += bytes;
    });
  }
  const stopForwarding = forwardSignals(child);
  const { code, signal } = await ended(child);
  stopForwarding();
  if (signal !== null) throw new Error(`errand: npm ci was ended by ${signal}`);
  if (code !== 0) throw new Error(`${output.trimEnd()}\nerrand: npm ci failed (exit code ${code})`);
}

/** The npm that runs us, if one does: it may be the only one, and not on the PATH. */
function npmCommand() {
  const running = process.env.npm_execpath;
  return running !== undefined && basename(running).startsWith('npm-cli')
    ? [process.execPath, running]
    : ['npm'];
}
