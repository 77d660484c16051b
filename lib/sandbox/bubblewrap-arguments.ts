import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import { supervisorCommand } from './supervisor.ts';

/** Descriptors that bwrap reads, beside those of the supervisor. */
const bubblewrapFds = { status: 4, seccomp: 5, passwd: 7, group: 8, hosts: 9 } as const;

/** What a command finds in its environment before its own `env` is added. */
export const baseEnvironment = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/work',
  PWD: '/work',
  LANG: 'C.UTF-8',
} as const;

/** Files in the sandbox that name its only user, instead of the host's. */
export const syntheticFiles = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\nerrand:x:1000:1000:errand:/work:/bin/sh\n',
  group: 'root:x:0:\nerrand:x:1000:\n',
  hosts: '127.0.0.1 localhost sandbox\n::1 localhost\n',
} as const;

const hostFolders = ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const hostFiles = ['/etc/ld.so.cache', '/etc/alternatives'];
const devices = ['null', 'zero', 'full', 'random', 'urandom'];
const links = [
  ['/tmp', 'var/tmp'],
  ['/work', 'var/work'],
  ['/dev/shm', '../var/shm'],
  ['/dev/fd', '/proc/self/fd'],
  ['/dev/stdin', '/proc/self/fd/0'],
  ['/dev/stdout', '/proc/self/fd/1'],
  ['/dev/stderr', '/proc/self/fd/2'],
] as const;

/**
 * What of the host can be seen in the sandbox, all of it read-only. Looked up once, because it
 * costs a dozen system calls and does not change.
 * @param hiddenFolders made empty in the sandbox; those outside of `/usr` are not there anyway.
 */
export function hostMounts(hiddenFolders: readonly string[]): readonly string[] {
  return [
    ...['--ro-bind', '/usr', '/usr', ...hostFolders.flatMap(asOnHost)],
    ...hiddenFolders.filter((folder) => folder.startsWith('/usr/')).flatMap(hide),
    ...hostFiles.flatMap((path) => ['--ro-bind-try', path, path]),
    ...devices.map((name) => `/dev/${name}`).flatMap((path) => ['--dev-bind', path, path]),
  ];
}

/**
 * The command line of bwrap: new namespaces of every kind, no capability, no further user
 * namespace, user 1000. One tmpfs of `diskBytes` is all that can be written; `/tmp`, `/work` and
 * `/dev/shm` lead into it, so that together they stay within the limit.
 *
 * `/dev` is put together by hand: bwrap's own is a tmpfs without a size. It costs 0.9 ms less,
 * too, and has no terminals.
 */
export function bubblewrapArguments(host: readonly string[], diskBytes: number): string[] {
  return [
    ...['--unshare-all', '--unshare-user', '--disable-userns', '--uid', '1000', '--gid', '1000'],
    ...['--die-with-parent', '--new-session', '--as-pid-1', '--clearenv', '--cap-drop', 'ALL'],
    ...['--hostname', 'sandbox', '--seccomp', `${bubblewrapFds.seccomp}`],
    ...['--json-status-fd', `${bubblewrapFds.status}`, ...host, '--proc', '/proc'],
    ...Object.keys(syntheticFiles).flatMap((name) => {
      const fd = bubblewrapFds[name as keyof typeof syntheticFiles];
      return ['--perms', '0444', '--file', `${fd}`, `/etc/${name}`];
    }),
    ...['--size', `${tmpfsBytes(diskBytes)}`, '--tmpfs', '/var'],
    ...['tmp', 'work', 'shm'].flatMap((name) => ['--perms', '1777', '--dir', `/var/${name}`]),
    ...links.flatMap(([path, target]) => ['--symlink', target, path]),
    ...['--remount-ro', '/', '--chdir', '/work', '--', ...supervisorCommand],
  ];
}

/** A link into `/usr` stays a link, a folder of its own is bound. */
function asOnHost(path: string): string[] {
  if (!existsSync(path)) return [];
  if (lstatSync(path).isSymbolicLink()) return ['--symlink', readlinkSync(path), path];
  return ['--ro-bind', path, path];
}

function hide(folder: string): string[] {
  return ['--size', '4096', '--tmpfs', folder, '--remount-ro', folder];
}

/** tmpfs counts in pages, and to it a size of 0 means no limit. */
function tmpfsBytes(diskBytes: number): number {
  return Math.max(4096, Math.floor(diskBytes));
}
