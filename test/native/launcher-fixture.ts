import { execFileSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe } from 'vitest';
import { type LauncherOptions, makeLauncherSandbox } from '../../lib/sandbox/launcher.ts';
import type { Limits, Outcome, OutputChunk, Sandbox } from '../../lib/sandbox/sandbox.ts';

const nativeFolder = join(import.meta.dirname, '../../native');
const isRoot = process.getuid?.() === 0;

/** A user without any privilege or group, whose id nothing else here uses. */
const nobodyElse = { uid: 61_900, gid: 61_900 };

/** As many as the product keeps (lib/sandbox/open-sandbox.ts). */
export const POOL = 4;

/** Where the launcher lies so that any user can run it, whoever owns the work tree. */
const openFolder = mkdtempSync(join(tmpdir(), 'errand-native-test-'));
chmodSync(openFolder, 0o1777); // like the usual folder for such files
// What we leave behind can then be told from the files of others.
process.env.TMPDIR = openFolder;
afterAll(() => rmSync(openFolder, { recursive: true, force: true }));

function openCopy(path: string, name: string): string {
  const copy = join(openFolder, name);
  copyFileSync(path, copy);
  chmodSync(copy, 0o755);
  return copy;
}

const release = openCopy(join(nativeFolder, `prebuilt/linux-${process.arch}/launcher`), 'launcher');

function sanitized(): string {
  execFileSync(join(nativeFolder, 'build.sh'), ['--sanitize'], { stdio: 'pipe' });
  return openCopy(join(nativeFolder, 'build/launcher-sanitized'), 'launcher-sanitized');
}

export interface Variant {
  readonly name: string;
  readonly options: LauncherOptions;
  /** Whether commands run as a uid that is not ours. */
  readonly ownUid: boolean;
}

/** Every way in which the launcher is used: each tier, as root and as a plain user, sanitized. */
export function variants(): readonly Variant[] {
  const tiers = ['namespaces', 'landlock', 'runner'] as const;
  const asSelf = tiers.map((tier) => variant(tier, release));
  if (!isRoot) return asSelf;
  const asUser = tiers.map((tier) => variant(tier, release, nobodyElse));
  const instrumented = existsSync('/usr/bin/gcc') ? sanitized() : undefined;
  if (instrumented === undefined) return [...asSelf, ...asUser];
  return [
    ...asSelf,
    ...asUser,
    variant('namespaces', instrumented),
    variant('landlock', instrumented),
  ];
}

function variant(
  tier: LauncherOptions['tier'],
  binary: string,
  user?: { uid: number; gid: number },
): Variant {
  const who = user !== undefined || !isRoot ? 'a plain user' : 'root';
  const how = binary === release ? '' : ', sanitized';
  return {
    name: `${tier} as ${who}${how}`,
    options: { binary, tier, pool: POOL, ...(user && { user }) },
    ownUid: isRoot && user === undefined,
  };
}

export const usualLimits: Limits = {
  wallMs: 10_000,
  cpuMs: 10_000,
  memoryBytes: 256 * 2 ** 20,
  processes: 32,
  fileBytes: 16 * 2 ** 20,
  diskBytes: 32 * 2 ** 20,
  openFiles: 128,
  stdoutBytes: 2 ** 20,
  stderrBytes: 2 ** 20,
};

export interface Order {
  readonly stdin?: string | Uint8Array;
  readonly env?: Record<string, string>;
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
  readonly onOutput?: (chunk: OutputChunk) => void;
}

/** Runs a shell text, or an argument vector. */
export function run(
  sandbox: Sandbox,
  command: string | readonly string[],
  order: Order = {},
): Promise<Outcome> {
  return sandbox.run(
    {
      program:
        typeof command === 'string' ? { kind: 'shell', command } : { kind: 'argv', argv: command },
      stdin:
        typeof order.stdin === 'string' ? Buffer.from(order.stdin) : (order.stdin ?? Buffer.of()),
      env: order.env ?? {},
    },
    { ...usualLimits, ...order.limits },
    order.onOutput ?? (() => {}),
    order.signal ?? new AbortController().signal,
  );
}

/** How a suite runs commands: as `run` does, in the launcher of the suite. */
export type Exec = (command: string | readonly string[], order?: Order) => Promise<Outcome>;

/** A suite against every variant, each with a launcher of its own. */
export function describeLaunchers(
  name: string,
  body: (exec: Exec, variant: Variant) => void,
): void {
  describe.each(variants())(`${name}, $name`, (variant) => {
    let sandbox: Sandbox;
    beforeAll(() => {
      sandbox = open(variant.options);
    });
    afterAll(() => sandbox.close());
    body((command, order) => run(sandbox, command, order), variant);
  });
}

export const open = (options: LauncherOptions): Sandbox => makeLauncherSandbox(options);

export const text = (outcome: Outcome): string => outcome.stdout.bytes.toString();

/** The folder of our own memory cgroup, if we may make others below it. */
export function memoryCgroup(): string | undefined {
  const [, path] =
    /^\d+:(?:[^:\n]*,)?memory(?:,[^:\n]*)?:(.*)$/m.exec(
      readFileSync('/proc/self/cgroup', 'utf8'),
    ) ?? [];
  const folder = join('/sys/fs/cgroup/memory', path ?? '');
  try {
    accessSync(folder, constants.W_OK);
    return path === undefined ? undefined : folder;
  } catch {
    return undefined;
  }
}
