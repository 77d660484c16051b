/**
 * `node dev/bootstrap.mjs <script> [arguments]`: runs a script of this project with the project's
 * own Node and dependencies, and installs them first when they are missing or out of date. So
 * `npm start` and `npm test` work in a fresh clone, with any Node from 20 on.
 */
import { spawn } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** A lock whose holder has not touched it for so long was left behind. */
const LOCK_STALE_MS = 30_000;
const LOCK_TOUCH_MS = 5_000;
const PARENT_CHECK_MS = 200;

if (process.argv[1] === fileURLToPath(import.meta.url)) {
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
  run(nodeOf(project), [resolve(project, script), ...args]);
}

/** Installs what package-lock.json asks for, unless it is there. One process at a time does so. */
export async function ensureDependencies(project) {
  if (whyStale(project) === undefined) return;
  const unlock = await lockInstall(project);
  try {
    const reason = whyStale(project); // Another process may have installed while we waited.
    if (reason === undefined) return;
    console.error(`errand: ${reason}; running npm ci (about half a minute, only now)`);
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

function readPackages(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages;
  } catch {
    return undefined;
  }
}

function nodeOf(project) {
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

function ended(child) {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
}

/**
 * Passes signals on and survives them itself, to tell how the child ended. Ctrl-C reaches the child
 * without us, since the terminal signals the whole foreground group; a second SIGINT would mean
 * "at once" to it.
 */
function forwardSignals(child) {
  const inTerminal = [process.stdin, process.stdout, process.stderr].some(({ isTTY }) => isTTY);
  const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP'].map((signal) => {
    const listener = () => {
      if (signal !== 'SIGINT' || !inTerminal) child.kill(signal);
    };
    process.on(signal, listener);
    return [signal, listener];
  });
  return () => {
    for (const [signal, listener] of listeners) process.off(signal, listener);
  };
}

/**
 * Waits for the installation lock and answers how to give it back. Its file holds our process id
 * and is touched while we work: a lock of a dead process, or of one that stopped, is taken over.
 */
async function lockInstall(project) {
  const directory = join(project, '.errand');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = join(directory, 'install.lock');
  const mine = `${lock}.${process.pid}`;
  writeFileSync(mine, String(process.pid));

  for (let told = false; !tryLink(mine, lock); ) {
    if (isAbandoned(lock)) {
      takeAway(lock, `${mine}.old`);
      continue;
    }
    if (!told) console.error('errand: waiting for another installation in this directory');
    told = true;
    await sleep(200);
  }
  rmSync(mine);
  const touching = setInterval(() => utimesSync(lock, new Date(), new Date()), LOCK_TOUCH_MS);
  return () => {
    clearInterval(touching);
    rmSync(lock, { force: true });
  };
}

/** A link appears whole or not at all, and only one process can make it. */
function tryLink(from, to) {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isAbandoned(lock) {
  try {
    if (Date.now() - statSync(lock).mtimeMs > LOCK_STALE_MS) return true;
    process.kill(Number(readFileSync(lock, 'utf8')), 0);
    return false;
  } catch (error) {
    return error.code === 'ESRCH';
  }
}

/** By renaming, which one process alone can do. Another's fresh lock is put back. */
function takeAway(lock, aside) {
  try {
    renameSync(lock, aside);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw error;
  }
  if (!isAbandoned(aside)) tryLink(aside, lock);
  rmSync(aside, { force: true });
}
