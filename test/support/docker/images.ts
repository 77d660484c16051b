import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Engine } from './engine.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const STAND_INS = fileURLToPath(new URL('stand-ins/', import.meta.url));
const SERVERS = 'errand-servers';

/**
 * Makes images under the names that the Dockerfile and the compose file ask for, out of Debian's
 * packages and the npm packages that are installed here: the wiring is what is tested with them, and
 * no registry of images is asked.
 */
export async function makeImages(engine: Engine): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'errand-images-'));
  try {
    await Promise.all([makeNodeImage(engine, folder), makeServers(engine, folder)]);
    await Promise.all([
      name(engine, 'postgres:17', [
        'ENV PGDATA=/var/lib/postgresql/data PATH=/usr/lib/postgresql/15/bin:/usr/bin:/bin',
        'VOLUME /var/lib/postgresql/data',
        'STOPSIGNAL SIGINT',
        'ENTRYPOINT ["/stand-ins/postgres.sh"]',
      ]),
      name(engine, 'rabbitmq:3-management', [
        'VOLUME /var/lib/rabbitmq',
        'ENTRYPOINT ["/stand-ins/rabbitmq.sh"]',
      ]),
      name(engine, 'prom/prometheus:v3.5.0', [
        'RUN install --directory --owner=nobody --group=nogroup /prometheus',
        'USER nobody',
        'VOLUME /prometheus',
        'ENTRYPOINT ["prometheus"]',
      ]),
      name(engine, 'localstack/localstack:4.14.0', [
        'ENTRYPOINT ["node", "--disable-warning=ExperimentalWarning", "/stand-ins/localstack.mjs"]',
      ]),
    ]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The official image's Node, npm and user, on the Debian that it is built on. */
async function makeNodeImage(engine: Engine, folder: string): Promise<void> {
  const root = join(folder, 'node');
  await addNode(root);
  await addNpm(root);
  const user = 'chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash node';
  const system = debian(['ca-certificates', 'libstdc++6', 'passwd'], root, [user]);
  await importImage(engine, system, 'node:24-bookworm-slim', 'CMD ["node"]');
}

/** All servers share one image: its layer is made, stored and read once. */
async function makeServers(engine: Engine, folder: string): Promise<void> {
  const root = join(folder, 'servers');
  await addNode(root);
  await cp(STAND_INS, join(root, 'stand-ins'), { recursive: true });
  await addPackage('fauxqs', join(root, 'stand-ins'));
  // Else the package makes a database that nobody asked for.
  const noCluster =
    'mkdir -p "$1/etc/postgresql-common"; echo create_main_cluster=false >"$1/etc/postgresql-common/createcluster.conf"';
  const packages = ['curl', 'postgresql', 'prometheus', 'rabbitmq-server', 'wget'];
  const system = debian(packages, root, [], [noCluster]);
  await importImage(engine, system, SERVERS);
}

/** Starts to write a Debian system with the packages, and the files of a folder, as a tar archive. */
function debian(
  packages: readonly string[],
  files: string,
  hooks: readonly string[],
  earlyHooks: readonly string[] = [],
): ChildProcess {
  return spawn(
    'mmdebstrap',
    [
      ...['--variant=essential', `--include=${packages.join(',')}`, '--quiet'],
      ...['doc', 'man', 'locale', 'info'].map(
        (name) => `--dpkgopt=path-exclude=/usr/share/${name}/*`,
      ),
      ...earlyHooks.map((hook) => `--essential-hook=${hook}`),
      ...hooks.map((hook) => `--customize-hook=${hook}`),
      `--customize-hook=sync-in ${files} /`,
      ...['bookworm', '-'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
}

async function importImage(
  engine: Engine,
  system: ChildProcess,
  image: string,
  ...changes: string[]
): Promise<void> {
  const options = changes.flatMap((change) => ['--change', change]);
  const imported = spawn('docker', ['import', ...options, '-', image], {
    env: engine.env,
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const endings = [succeeds(system, 'mmdebstrap'), succeeds(imported, 'docker import')];
  if (system.stdout && imported.stdin) await pipeline(system.stdout, imported.stdin);
  await Promise.all(endings);
}

async function succeeds(child: ChildProcess, name: string): Promise<void> {
  let complaint = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    complaint += bytes;
  });
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${name} ended with ${code}:\n${complaint.trim()}`);
}

/** Gives the servers' image another name, and what makes it the one or the other server. */
async function name(engine: Engine, image: string, lines: readonly string[]): Promise<void> {
  const options = ['--quiet', '--network=none', '--tag', image];
  const build = run('docker', ['build', ...options, '-'], { env: engine.env });
  build.child.stdin?.end([`FROM ${SERVERS}`, ...lines].join('\n'));
  await build;
}

async function addNode(root: string): Promise<void> {
  const file = join(root, 'usr/local/bin/node');
  await mkdir(dirname(file), { recursive: true });
  await cp(process.execPath, file);
}

/** With this machine's registry: builds have to reach the one that tests reach. */
async function addNpm(root: string): Promise<void> {
  const { stdout: globalRoot } = await run('npm', ['root', '--global']);
  const npm = join('usr/local/lib/node_modules/npm');
  await cp(await realpath(join(globalRoot.trim(), 'npm')), join(root, npm), { recursive: true });
  await writeFile(
    join(root, 'usr/local/bin/npm'),
    `#!/bin/sh\nexec node /${npm}/bin/npm-cli.js "$@"\n`,
    { mode: 0o755 },
  );
  await mkdir(join(root, 'usr/local/etc'), { recursive: true });
  const settings: string[] = [];
  for (const key of ['registry', 'proxy', 'https-proxy', 'noproxy', 'cafile']) {
    const { stdout } = await run('npm', ['config', 'get', key]);
    const value = stdout.trim();
    if (value === '' || value === 'null' || value === 'undefined') continue;
    if (key === 'cafile') {
      await cp(value, join(root, 'usr/local/etc/npm-ca.pem'), { dereference: true });
      settings.push('cafile=/usr/local/etc/npm-ca.pem');
    } else settings.push(`${key}=${value}`);
  }
  await writeFile(join(root, 'usr/local/etc/npmrc'), `${settings.join('\n')}\n`);
}

/** Copies an installed package and all that it needs. */
async function addPackage(name: string, root: string): Promise<void> {
  const { stdout } = await run('npm', ['query', `#${name}, #${name} *`], {
    cwd: PROJECT,
    maxBuffer: 64 * 1024 * 1024,
  });
  const needed = JSON.parse(stdout) as { location: string }[];
  for (const { location } of needed) {
    if (location.includes('typescript')) continue; // a peer that only types ask for
    await cp(join(PROJECT, location), join(root, location), { recursive: true });
  }
}
