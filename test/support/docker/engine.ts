import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync, rmdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { dyingWithParent } from '../../../dev/parent-death.ts';
import { eventually } from '../eventually.ts';
import { childrenOf } from '../processes.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));

const STARTS_WITHIN_MS = 30_000;
/** With containers to stop. */
const STOPS_WITHIN_MS = 30_000;
const PROGRAMS = ['dockerd', 'docker', 'docker-compose', 'mmdebstrap', 'unshare', 'nsenter'];

/** Where an engine writes outside of its data. */
const LITTERED = ['/etc/docker', '/run/docker', '/opt/containerd'];

/** A Docker engine of its own, on which nothing else runs and of which nothing is left. */
export interface Engine {
  /** For `docker` and `docker-compose`, instead of what the test run was given. */
  readonly env: NodeJS.ProcessEnv;
  /** Kills a process that the engine sees under this number, as a crash would. */
  kill(pid: number): Promise<void>;
  stop(): Promise<void>;
}

/** Why this machine can have no engine; undefined when it should. */
export function whyNoEngine(): string | undefined {
  if (process.platform !== 'linux') return 'an engine of our own needs Linux';
  if (process.getuid?.() !== 0) return 'an engine of our own needs root';
  const missing = PROGRAMS.filter((name) => !isOnPath(name));
  return missing.length > 0 ? `not installed: ${missing.join(', ')}` : undefined;
}

function isOnPath(name: string): boolean {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return folders.some((folder) => existsSync(join(folder, name)));
}

/**
 * In namespaces of its own for mounts and processes, with its data in memory: when its first process
 * ends, all of it ends, containers and mounts included. The network is this machine's, since images
 * are built from its package registries; the engine leaves the firewall and forwarding alone, which
 * published ports (through its proxy) and networks of containers do without.
 * @throws with its last words when it does not start, or cannot run a container here
 */
export async function startEngine(): Promise<Engine> {
  const directory = await mkdtemp(join(tmpdir(), 'errand-engine-'));
  const socket = join(directory, 'docker.sock');
  const cgroup = `errand-engine-${process.pid}`;
  const made = LITTERED.filter((path) => !existsSync(path));
  for (const path of [join(directory, 'data'), ...LITTERED]) await mkdir(path, { recursive: true });

  const child = launch(directory, socket, cgroup);
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes: Buffer) => {
      output = (output + bytes).slice(-4000);
    });
  }

  const env = { ...process.env, DOCKER_HOST: `unix://${socket}`, DOCKER_BUILDKIT: '0' };

  async function stop(): Promise<void> {
    await clear(env).catch(() => {}); // An engine that does not answer has nothing to clear.
    const patience = setTimeout(() => child.kill('SIGKILL'), STOPS_WITHIN_MS);
    for (const pid of childrenOf(child.pid ?? 0)) process.kill(pid, 'SIGTERM');
    await ended;
    clearTimeout(patience);
    await rm(directory, { recursive: true, force: true });
    for (const path of made) rmdirSync(path);
    removeCgroups(cgroup);
  }

  try {
    await eventually(() => {
      if (child.exitCode !== null) throw new Error(output.trim().split('\n').at(-1));
      if (!output.includes('API listen on')) throw new Error(`not ready: ${output}`);
    }, STARTS_WITHIN_MS);
    await tryContainer(env);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    env,
    stop,
    async kill(pid) {
      const [dockerd] = childrenOf(child.pid ?? 0);
      await run('nsenter', ['--target', String(dockerd), '--pid', 'kill', '-KILL', String(pid)]);
    },
  };
}

/** With a static program that the project has, in a container on a network. */
async function tryContainer(env: NodeJS.ProcessEnv): Promise<void> {
  const script = `
    tar --create --directory native/prebuilt/linux-${process.arch} launcher | docker import - trial
    docker network create trial
    docker run --rm --network trial --tmpfs /tmp trial /launcher probe
    docker network rm trial
    docker image rm trial`;
  await run('sh', ['-ec', script], { env, cwd: PROJECT }).catch((error: { stderr: string }) => {
    throw new Error(error.stderr.trim().split('\n').at(-1), { cause: error });
  });
}

/** The bridge of a network is this machine's, so that it would stay when the engine is gone. */
async function clear(env: NodeJS.ProcessEnv): Promise<void> {
  const script = `
    docker ps --all --quiet | xargs --no-run-if-empty docker rm --force
    docker network prune --force`;
  await run('sh', ['-c', script], { env });
}

function launch(directory: string, socket: string, cgroup: string): ChildProcess {
  const data = join(directory, 'data');
  const script = [
    ...[data, ...LITTERED].map((path) => `mount -t tmpfs errand-engine '${path}'`),
    'exec "$@"',
  ].join(' && ');
  const dockerd = [
    ...['dockerd', '--host', `unix://${socket}`, '--pidfile', join(directory, 'pid')],
    ...['--data-root', data, '--exec-root', join(directory, 'exec')],
    ...['--cgroup-parent', `/${cgroup}`],
    ...['--bridge=none', '--iptables=false', '--ip6tables=false', '--ip-forward=false'],
  ];
  const namespaces = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const [file = '', ...args] = [
    ...dyingWithParent('SIGKILL'),
    ...namespaces,
    ...['sh', '-c', script, 'sh'],
    ...dockerd,
  ];
  return spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** An engine leaves the groups of its containers' parent behind; version 1 has a tree for each kind. */
function removeCgroups(name: string): void {
  const root = '/sys/fs/cgroup';
  for (const path of [
    join(root, name),
    ...readdirSync(root).map((tree) => join(root, tree, name)),
  ]) {
    if (existsSync(path)) rmdirSync(path);
  }
}
