import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);
const INSTALL_TIMEOUT_MS = 120_000;

/** How a package manager installs bubblewrap. `refresh` fetches its lists, when it needs them. */
interface PackageManager {
  readonly program: string;
  readonly install: readonly string[];
  readonly refresh?: readonly string[];
}

const PACKAGE_MANAGERS: readonly PackageManager[] = [
  {
    program: 'apt-get',
    install: ['apt-get', 'install', '--yes', '--no-install-recommends', 'bubblewrap'],
    refresh: ['apt-get', 'update'],
  },
  { program: 'dnf', install: ['dnf', 'install', '--assumeyes', 'bubblewrap'] },
  { program: 'apk', install: ['apk', 'add', 'bubblewrap'], refresh: ['apk', 'update'] },
  {
    program: 'pacman',
    install: ['pacman', '-S', '--noconfirm', 'bubblewrap'],
    refresh: ['pacman', '-Sy'],
  },
  { program: 'zypper', install: ['zypper', '--non-interactive', 'install', 'bubblewrap'] },
];

/** Whether the program that isolates commands is there; if not, what to tell. */
export type Bubblewrap =
  | { readonly kind: 'found' | 'installed'; readonly version: string }
  | { readonly kind: 'missing'; readonly advice: string };

/**
 * Finds bubblewrap, and installs it where that needs no question: as root, or with a sudo that
 * asks for no password. Never fails: the API works without, and the worker refuses to run.
 */
export async function ensureBubblewrap(
  say: (message: string) => void,
  isRoot = process.getuid?.() === 0,
): Promise<Bubblewrap> {
  if (process.platform !== 'linux') {
    return {
      kind: 'missing',
      advice: 'commands are isolated on Linux only; tasks are accepted and wait in the queue',
    };
  }
  const found = await version();
  if (found !== undefined) return { kind: 'found', version: found };

  const manager = await findPackageManager();
  if (manager === undefined) return { kind: 'missing', advice: 'install the package bubblewrap' };

  const privilege = isRoot ? [] : await findSudo();
  const shown = [...(isRoot ? [] : ['sudo']), ...manager.install].join(' ');
  if (privilege === undefined) return { kind: 'missing', advice: `install it: ${shown}` };

  say(`installing bubblewrap, which isolates the commands: ${shown}`);
  try {
    await install(manager, privilege);
  } catch (error) {
    return {
      kind: 'missing',
      advice: `the installation failed (${lastLine(error)}); try: ${shown}`,
    };
  }
  const installed = await version();
  return installed === undefined
    ? { kind: 'missing', advice: `the installation brought no bwrap; try: ${shown}` }
    : { kind: 'installed', version: installed };
}

/** With the lists that are there first: fetching them is the slow part, and often not needed. */
async function install({ install, refresh }: PackageManager, privilege: readonly string[]) {
  const deadline = AbortSignal.timeout(INSTALL_TIMEOUT_MS);
  const command = async ([...words]: readonly string[]) => {
    const [file = '', ...args] = [...privilege, ...words];
    await run(file, args, {
      signal: deadline,
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C' },
    });
  };
  try {
    await command(install);
  } catch (error) {
    if (refresh === undefined) throw error;
    await command(refresh);
    await command(install);
  }
}

async function version(): Promise<string | undefined> {
  return answer('bwrap', ['--version']);
}

async function findPackageManager(): Promise<PackageManager | undefined> {
  for (const manager of PACKAGE_MANAGERS) {
    if ((await answer(manager.program, ['--version'])) !== undefined) return manager;
  }
  return undefined;
}

/** What to put before a command to run it as root; undefined when that would ask the user. */
async function findSudo(): Promise<readonly string[] | undefined> {
  return (await answer('sudo', ['-n', 'true'])) === undefined ? undefined : ['sudo', '-n'];
}

async function answer(program: string, args: readonly string[]): Promise<string | undefined> {
  return run(program, args, { timeout: 10_000 }).then(
    ({ stdout }) => stdout.trim().split('\n')[0] ?? '',
    () => undefined,
  );
}

function lastLine(error: unknown): string {
  const { stderr, message } = error as { stderr?: string; message?: string };
  return (stderr || message || String(error)).trim().split('\n').at(-1) ?? '';
}
