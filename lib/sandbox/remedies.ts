import { readFileSync } from 'node:fs';

/** What to change on a host where no tier holds, told by the complaints and the host's switches. */
export function remedyFor(complaints: string): string {
  if (/ENOENT/.test(complaints)) {
    return 'There is no launcher for this platform: errand runs commands on Linux, x64 and arm64.';
  }
  return namespaceRemedy();
}

/** Most hosts that refuse do so by one of three switches; containers by their runtime's profile. */
function namespaceRemedy(): string {
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor withholds user namespaces: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.';
  }
  if (sysctl('kernel/unprivileged_userns_clone') === '0') {
    return 'User namespaces are switched off: `sysctl -w kernel.unprivileged_userns_clone=1`.';
  }
  if (sysctl('user/max_user_namespaces') === '0') {
    return 'User namespaces are switched off: `sysctl -w user.max_user_namespaces=15000`.';
  }
  return 'In a container, see docs/security.md for the options that allow namespaces, or use a kernel with Landlock ABI 6 (Linux 6.12).';
}

/** Its value; undefined where the kernel does not have it. */
function sysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim();
  } catch {
    return undefined;
  }
}
