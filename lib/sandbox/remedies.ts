import { readFileSync } from 'node:fs';
import { release } from 'node:os';

/** What of this host decides whether commands can be isolated. */
export interface Host {
  /** Our own effective user id. */
  readonly uid: number | undefined;
  /** Whose release it is, as in `6.12.1-amd64`. */
  readonly kernel: string;
  /** A file of /proc; undefined where there is none. */
  readonly proc: (path: string) => string | undefined;
}

const thisHost: Host = { uid: process.geteuid?.(), kernel: release(), proc: readProc };

const GUIDE = 'docs/security.md tells more.';
const PROFILE = '--security-opt seccomp=native/docker-seccomp.json';

/** What root needs to run commands as users of their own: the numbers of linux/capability.h. */
const ROOT_CAPABILITIES = {
  CHOWN: 0,
  DAC_OVERRIDE: 1,
  KILL: 5,
  SETGID: 6,
  SETUID: 7,
} as const;

/**
 * What to change where a tier does not hold, told by the complaints and the host's switches. The
 * complaints of several tiers may come together: then what all of them need comes first.
 */
export function remedyFor(complaints: string, host: Host = thisHost): string {
  if (/spawn \S+ ENOENT/.test(complaints)) {
    return 'There is no launcher for this platform: errand runs commands on Linux, x64 and arm64.';
  }
  if (/\b(EROFS|ENOSPC|EACCES)\b.*mkdtemp/.test(complaints)) {
    return 'Temporary files need a place: point TMPDIR to a folder that this user can write to, or give the container one (Docker: `--tmpfs /tmp:exec`).';
  }
  const missing = missingCapabilities(host);
  if (missing.length > 0) {
    return `Root lacks the capabilities ${missing.join(', ')} here: run as another user (Docker: \`--user 1000:1000\`), who needs none, or add them.`;
  }
  if (/^(?!.*namespace).*Landlock ABI/s.test(complaints)) return landlockRemedy(host);
  return namespaceRemedy(complaints, host);
}

/** A host refuses by one of three switches; a container by its runtime's options. */
function namespaceRemedy(complaints: string, host: Host): string {
  const sysctl = (name: string) => host.proc(`sys/${name}`)?.trim();
  if (sysctl('user/max_user_namespaces') === '0') {
    return 'User namespaces are switched off: `sysctl -w user.max_user_namespaces=15000`.';
  }
  if (sysctl('kernel/unprivileged_userns_clone') === '0') {
    return 'User namespaces are switched off: `sysctl -w kernel.unprivileged_userns_clone=1`.';
  }
  if (/mount \/proc: Operation not permitted/.test(complaints)) {
    return `Parts of /proc are covered, as in containers. Docker: \`--security-opt systempaths=unconfined\`, and a user other than root. ${GUIDE}`;
  }
  if (/create user namespace: .*not permitted/.test(complaints) && hasSeccompFilter(host)) {
    return `A seccomp filter refuses namespaces, as in containers. Docker: \`${PROFILE} --security-opt systempaths=unconfined\`, and a user other than root. ${GUIDE}`;
  }
  if (sysctl('kernel/apparmor_restrict_unprivileged_userns') === '1') {
    return 'AppArmor withholds user namespaces: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.';
  }
  if (/: Permission denied/.test(complaints)) {
    return `A security module refuses mounts. Docker with AppArmor: \`--security-opt apparmor=unconfined\`; with SELinux: \`--security-opt label=disable\`. ${GUIDE}`;
  }
  return `${GUIDE} Without namespaces, a kernel with Landlock ABI 6 (Linux 6.12) will do.`;
}

function landlockRemedy({ kernel }: Host): string {
  const [major = 0, minor = 0] = kernel.split('.').map(Number.parseFloat);
  if (major < 6 || (major === 6 && minor < 12)) {
    return `This kernel is Linux ${kernel}; Landlock ABI 6 came with 6.12.`;
  }
  return `Linux ${kernel} is new enough: Landlock must be in its list of security modules (boot with \`lsm=landlock,...\`), and no seccomp filter may refuse it (Docker: \`${PROFILE}\`).`;
}

/** What root needs and does not have; nothing for any other user, who needs none. */
export function missingCapabilities(host: Host = thisHost): string[] {
  const effective = field(host, 'CapEff');
  if (host.uid !== 0 || effective === undefined) return [];
  const set = BigInt(`0x${effective}`);
  return Object.entries(ROOT_CAPABILITIES)
    .filter(([, bit]) => ((set >> BigInt(bit)) & 1n) === 0n)
    .map(([name]) => name);
}

function hasSeccompFilter(host: Host): boolean {
  return field(host, 'Seccomp') === '2';
}

/** A line of our own status, as in `Seccomp:\t2`. */
function field(host: Host, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(host.proc('self/status') ?? '')?.[1];
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}
