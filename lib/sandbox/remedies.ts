import { readFileSync } from 'node:fs';

/** What to change on a host where bubblewrap did not work, told by its complaint and the sysctls. */
export function remedyFor(complaint: string): string {
  if (/bwrap did not start/.test(complaint)) {
    return 'Install bubblewrap 0.8 or newer: `apt-get install bubblewrap`, `dnf install bubblewrap` or `apk add bubblewrap`.';
  }
  if (/perl/.test(complaint)) {
    return 'Install Perl at /usr/bin/perl: `apt-get install perl-base` or `dnf install perl-interpreter`.';
  }
  if (/[Uu]nknown option/.test(complaint)) {
    return 'This bubblewrap is too old: 0.8 is the first with --disable-userns.';
  }
  return namespaceRemedy();
}

/** Most hosts that refuse do so by one of three switches; containers by their runtime's profile. */
function namespaceRemedy(): string {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor keeps user namespaces from bwrap: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`, or load an AppArmor profile for bwrap that has `userns,`.';
  }
  if (sysctl('kernel/unprivileged_userns_clone') === '0') {
    return 'User namespaces are switched off: `sysctl -w kernel.unprivileged_userns_clone=1`.';
  }
  if (sysctl('user/max_user_namespaces') === '0') {
    return 'User namespaces are switched off: `sysctl -w user.max_user_namespaces=15000`.';
  }
  return 'In a container, allow bwrap its namespaces: `--security-opt systempaths=unconfined` and a seccomp profile that adds clone, unshare, mount, umount2, pivot_root, sethostname, setns and mount_setattr.';
}

/** Its value; undefined where the kernel does not have it. */
function sysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
