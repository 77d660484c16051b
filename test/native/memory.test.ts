/**
 * Memory that no process shows as its own, tried against a command's limit: what the host has lost
 * meanwhile is measured from outside; what else runs here takes some of it. The limit may be overrun
 * by the disk space, which is memory, too. A watch can come late; the holes go on to a gigabyte.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Outcome, Sandbox } from '../../lib/sandbox/sandbox.ts';
import { eventually } from '../support/eventually.ts';
import { childrenOf } from '../support/processes.ts';
import { memoryCgroup, open, run, text, variants } from './launcher-fixture.ts';

const MiB = 2 ** 20;
const memoryBytes = 64 * MiB;
const limits = {
  memoryBytes,
  processes: 128,
  openFiles: 256,
  wallMs: 30_000,
  diskBytes: 32 * MiB,
  fileBytes: 32 * MiB,
};
const noiseBytes = 350 * MiB;
const lateBytes = 500 * MiB;

const python = (...lines: string[]) => ['python3', '-c', lines.join('\n')];

const holes = {
  'shared anonymous memory that is not mapped in': python(
    'import mmap, time',
    'keep = []',
    'for i in range(30):',
    '  m = mmap.mmap(-1, 50 << 20); keep.append(m)',
    '  for at in range(0, 50 << 20, 1 << 20):',
    '    m[at:at + (1 << 20)] = b"x" * (1 << 20); m.madvise(mmap.MADV_DONTNEED)',
    'time.sleep(1); print("held")',
  ),
  'shared memory of which a page stays mapped': python(
    'import ctypes, time',
    'libc = ctypes.CDLL(None)',
    'libc.mmap.restype = ctypes.c_void_p',
    'libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]',
    'libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]',
    'for i in range(60):', // PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS
    '  start = libc.mmap(None, 16 << 20, 3, 0x21, -1, 0)',
    '  ctypes.memset(start, 1, 16 << 20); time.sleep(0.03)',
    '  libc.munmap(start + 4096, (16 << 20) - 4096)',
    'time.sleep(1); print("held")',
  ),
  'page tables': python(
    'import ctypes, time',
    'libc = ctypes.CDLL(None)',
    'libc.mmap.restype = ctypes.c_void_p',
    'libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]',
    'libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]',
    'for i in range(400):', // PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    '  start = libc.mmap(None, 1 << 30, 1, 0x4022, -1, 0)',
    '  if start == 2**64 - 1: break',
    '  libc.madvise(start, 1 << 30, 15)', // MADV_NOHUGEPAGE
    '  for at in range(0, 1 << 30, 2 << 20): ctypes.c_char.from_address(start + at).value',
    'time.sleep(1); print("held")',
  ),
  'buffers of sockets': python(
    'import os, socket, time',
    'for i in range(60):',
    '  if os.fork(): continue',
    '  keep = []',
    '  for j in range(50):',
    '    for s in socket.socketpair():',
    '      keep.append(s); s.setblocking(False)',
    '      s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)',
    '      try:',
    '        while True: s.send(b"x" * 65536)',
    '      except BlockingIOError: pass',
    '  time.sleep(5); os._exit(0)',
    'time.sleep(4); print("held", flush=True)',
  ),
  // The pause is what a watch needs for a look.
  'memory of its own, at once': python(
    'import time',
    'x = b"x" * (400 << 20); time.sleep(0.2); print("held")',
  ),
} satisfies Record<string, string[]>;

function availableBytes(): number {
  const [, kilobytes] = /MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}

/** Runs a command, and says how much memory the host had lost at worst. */
async function watched(running: () => Promise<Outcome>) {
  const before = availableBytes();
  let lowest = before;
  const timer = setInterval(() => {
    lowest = Math.min(lowest, availableBytes());
  }, 10);
  const outcome = await running();
  clearInterval(timer);
  return { outcome, lostBytes: before - lowest };
}

const cgroup = memoryCgroup();
const servers = () => readdirSync(cgroup ?? '/proc').filter((name) => /^errand-\d+$/.test(name));

/** The launcher that a process started. */
function launcherOf(pid: number): number {
  const isLauncher = (child: number) =>
    readFileSync(`/proc/${child}/comm`, 'utf8').startsWith('launcher');
  return childrenOf(pid).find(isLauncher) ?? Number.NaN;
}

const watching = variants().map(({ name, options, ...rest }) => ({
  ...rest,
  name: `${name}, watched`,
  options: { ...options, memory: 'watch' as const },
}));
/** Other commands share our network namespace there, and sockets are not told apart. */
const seesSockets = (variant: { options: { tier: string; memory?: string } }) =>
  variant.options.tier === 'namespaces' || variant.options.memory === undefined;
/** As root, where a cgroup can be made; a plain user has none without a delegation. */
const counted = cgroup === undefined ? [] : variants().filter(({ name }) => /root/.test(name));

describe.each([...counted, ...watching])('memory, $name', (variant) => {
  const { options } = variant;
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = open({ ...options, pool: 1 });
  });
  afterAll(() => sandbox.close());

  it.each(Object.entries(holes))('holds %s', async (name, program) => {
    if (name.includes('sockets') && !seesSockets(variant)) return;
    const { outcome, lostBytes } = await watched(() => run(sandbox, program, { limits }));
    expect(outcome.ending).toEqual({ kind: 'outOfMemory', limitBytes: memoryBytes });
    expect(text(outcome)).toBe('');
    expect(lostBytes).toBeLessThan(
      memoryBytes + limits.diskBytes + noiseBytes + ('memory' in options ? lateBytes : 0),
    );
    expect(outcome.usage.maxRssBytes).toBeGreaterThan(memoryBytes / 2);
  });

  it('gives the next command all of it', async () => {
    const program = python('x = b"x" * (50 << 20)', 'print("fine")');
    for (let next = 0; next < 3; next++) {
      expect(text(await run(sandbox, program, { limits }))).toBe('fine\n');
      const tmp = options.tier === 'namespaces' ? '/tmp' : '"$TMPDIR"';
      await run(sandbox, `head -c 30M /dev/zero > ${tmp}/f; ls -R /usr/share > ${tmp}/g`, {
        limits,
      });
      await run(sandbox, 'tail /dev/zero', { limits });
    }
  });

  it('counts files where these are memory, but not against the memory', async () => {
    const program = python(
      'with open("f", "wb") as f: f.write(b"x" * (28 << 20))',
      'x = b"x" * (45 << 20)',
      'print("fine")',
    );
    expect(text(await run(sandbox, program, { limits }))).toBe('fine\n');
  });

  it('follows the limit of each command', async () => {
    const program = python(
      'x = b"x" * (150 << 20)',
      'import time',
      // For as long as a watch may be late on a busy machine.
      `time.sleep(${'memory' in options ? 1 : 0.1})`,
      'print("fine")',
    );
    for (const megabytes of [64, 256, 32, 200]) {
      const outcome = await run(sandbox, program, {
        limits: { ...limits, memoryBytes: megabytes * MiB },
      });
      expect(outcome.ending.kind).toBe(megabytes > 160 ? 'exited' : 'outOfMemory');
    }
  });

  it('does not blame a later command for an earlier one', async () => {
    await run(sandbox, 'tail /dev/zero', { limits });
    const { ending, usage } = await run(sandbox, 'kill -9 $$', { limits });
    expect(ending).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
    expect(usage.maxRssBytes).toBeLessThan(16 * MiB);
  });

  it('tells it when a grandchild was killed and the shell went on', async () => {
    // Not so much that malloc fails before a watch has looked, and for long enough that it does.
    const holds = `python3 -c 'import time; x = b"x" * (200 << 20); time.sleep(5)'`;
    const { ending } = await run(sandbox, `${holds}; exit 0`, { limits });
    expect(ending.kind).toBe('outOfMemory');
  });
});

describe.each(counted)('memory cgroups, $name', ({ options }) => {
  it('are there while it serves, and gone when it has closed', async () => {
    const before = servers();
    const sandbox = open(options);
    await run(sandbox, 'true');
    const mine = servers().filter((name) => !before.includes(name));
    expect(mine).toEqual([`errand-${launcherOf(process.pid)}`]);
    await sandbox.close();
    expect(servers()).not.toContain(mine[0]);
  });

  it('are not left by a client that was killed', async () => {
    const client = spawn(
      process.execPath,
      [join(import.meta.dirname, 'client.ts'), JSON.stringify(options), '60'],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    await once(client.stdout, 'data');
    const mine = `errand-${launcherOf(client.pid ?? 0)}`;
    expect(servers()).toContain(mine);
    client.kill('SIGKILL');
    await eventually(() => expect(servers()).not.toContain(mine));
  });

  it('are swept by the next start after a SIGKILL, but not those of the living', async () => {
    const living = open(options);
    await run(living, 'true');
    const alive = launcherOf(process.pid);
    const client = spawn(
      process.execPath,
      [join(import.meta.dirname, 'client.ts'), JSON.stringify(options), '60'],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    await once(client.stdout, 'data');
    const killed = launcherOf(client.pid ?? 0);
    process.kill(killed, 'SIGKILL');
    client.kill('SIGKILL');
    await eventually(() => expect(existsSync(`/proc/${killed}`)).toBe(false));
    await eventually(() => {
      // What it started dies a moment later, and holds its lock until then.
      spawnSync(options.binary, ['probe']);
      expect(servers()).not.toContain(`errand-${killed}`);
    });
    expect(servers()).toContain(`errand-${alive}`);
    expect(text(await run(living, 'echo fine'))).toBe('fine\n');
    await living.close();
  });
});
