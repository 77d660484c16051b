import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sandbox } from '../../lib/sandbox/sandbox.ts';
import { eventually, open, processesWith, run, text, variants } from './launcher-fixture.ts';

const clientScript = join(import.meta.dirname, 'client.ts');

/** A marker no other process has: an odd number of seconds to sleep. */
let markers = 0;
const marker = () => `9${process.pid}.${++markers}`;

/** Processes that a process has started and not reaped; none when it is gone itself. */
function children(pid: number): number[] {
  try {
    const list = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return list.split(' ').filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

const descendants = (pid: number): number =>
  children(pid).reduce((sum, child) => sum + 1 + descendants(child), 0);

describe.each(variants())('launcher, $name', ({ options, ownUid }) => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = open(options);
  });
  afterAll(() => sandbox.close());

  describe('endings', () => {
    it.each([0, 1, 42, 126, 127, 137, 255])('tells exit code %i', async (exitCode) => {
      const { ending } = await run(sandbox, `exit ${exitCode}`);
      expect(ending).toEqual({ kind: 'exited', exitCode });
    });

    it.each(['SIGSEGV', 'SIGKILL', 'SIGTERM', 'SIGABRT', 'SIGHUP'] as const)(
      'tells %s apart from an exit code',
      async (signal) => {
        const { ending } = await run(sandbox, `kill -${signal.slice(3)} $$`);
        expect(ending).toEqual({ kind: 'signalled', signal });
      },
    );

    it('leaves 128+n of a shell what it is: an exit code', async () => {
      const { ending } = await run(sandbox, "sh -c 'kill -9 $$'; exit $?");
      expect(ending).toEqual({ kind: 'exited', exitCode: 137 });
    });

    it('says like a shell that there is no such program', async () => {
      const { ending, stderr } = await run(sandbox, ['no-such-program', 'x']);
      expect(ending).toEqual({ kind: 'exited', exitCode: 127 });
      expect(stderr.bytes.toString()).toBe('errand: no-such-program: not found\n');
    });

    it('says like a shell that a file cannot be run', async () => {
      const { ending, stderr } = await run(sandbox, ['/usr/share']);
      expect(ending).toEqual({ kind: 'exited', exitCode: 126 });
      expect(stderr.bytes.toString()).toBe('errand: /usr/share: permission denied\n');
    });

    it('runs an argument vector without a shell', async () => {
      const outcome = await run(sandbox, ['printf', '%s|', 'a b', '$HOME', '', ';']);
      expect(text(outcome)).toBe('a b|$HOME||;|');
    });

    it('measures time and memory', async () => {
      const { usage } = await run(
        sandbox,
        'sleep 0.2; head -c 40000000 /dev/zero | tail -c 39999999 >/dev/null',
      );
      expect(usage.wallMs).toBeGreaterThan(200);
      expect(usage.maxRssBytes).toBeGreaterThan(35e6);
      expect(usage.cpuMs).toBeGreaterThan(1);
      expect(usage.cpuMs).toBeLessThan(usage.wallMs ?? 0);
    });
  });

  describe('limits', () => {
    it('ends what runs too long, and keeps its output', async () => {
      const outcome = await run(sandbox, 'echo before; sleep 60', { limits: { wallMs: 200 } });
      expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 200 });
      expect(text(outcome)).toBe('before\n');
    });

    it('kills what ignores SIGTERM', async () => {
      const outcome = await run(sandbox, "trap '' TERM; sleep 60; sleep 60", {
        limits: { wallMs: 200 },
      });
      expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 200 });
      expect(outcome.usage.wallMs).toBeLessThan(4_000);
    });

    it('lets a command use the time between SIGTERM and SIGKILL', async () => {
      const outcome = await run(sandbox, "trap 'echo bye; exit 3' TERM; sleep 60 & wait", {
        limits: { wallMs: 200 },
      });
      expect(outcome.ending.kind).toBe('timedOut');
      expect(text(outcome)).toBe('bye\n');
    });

    it('ends what uses up its CPU time', async () => {
      const { ending, usage } = await run(sandbox, 'while :; do :; done', {
        limits: { cpuMs: 1_000 },
      });
      expect(ending).toEqual({ kind: 'signalled', signal: 'SIGXCPU' });
      expect(usage.cpuMs).toBeGreaterThan(700); // the kernel counts in ticks
    });

    it('ends one process that takes too much memory', async () => {
      const { ending, usage } = await run(sandbox, 'tail /dev/zero', {
        limits: { memoryBytes: 64 * 2 ** 20 },
      });
      expect(ending).toEqual({ kind: 'outOfMemory', limitBytes: 64 * 2 ** 20 });
      expect(usage.maxRssBytes).toBeLessThan(512 * 2 ** 20);
    });

    it('ends a tree whose processes together take too much memory', async () => {
      const part = '{ head -c 20M /dev/zero; sleep 5; } | tail >/dev/null &';
      const { ending } = await run(sandbox, `${part.repeat(6)} wait`, {
        limits: { memoryBytes: 64 * 2 ** 20 },
      });
      expect(ending.kind).toBe('outOfMemory');
    });

    it('does not count shared pages twice', async () => {
      const program =
        'import os,time\nx=bytearray(80<<20)\nfor i in range(4):\n  if os.fork()==0: time.sleep(.3); os._exit(0)\nfor i in range(4): os.wait()\nprint("done")';
      const outcome = await run(sandbox, ['python3', '-c', program], {
        limits: { memoryBytes: 160 * 2 ** 20 },
      });
      expect(text(outcome)).toBe('done\n');
    });

    it('holds a fork bomb', async () => {
      const bomb = 'i=0; while [ $i -lt 200 ]; do sleep 3 & i=$((i+1)); done; echo all';
      const outcome = await run(sandbox, bomb, { limits: { processes: 20 } });
      expect(text(outcome)).toBe('');
      expect(outcome.stderr.bytes.toString()).toMatch(/fork/i);
    });

    it('holds the size of a file', async () => {
      const { ending } = await run(sandbox, 'exec head -c 2000000 /dev/zero > big', {
        limits: { fileBytes: 1_000_000 },
      });
      expect(ending).toEqual({ kind: 'signalled', signal: 'SIGXFSZ' });
    });

    it('holds the size of all files', async () => {
      const fill =
        'for i in 1 2 3 4 5 6 7 8; do head -c 2M /dev/zero > f$i || exit 5; done; sleep 2';
      const { ending } = await run(sandbox, fill, { limits: { diskBytes: 6 * 2 ** 20 } });
      expect(ending).toEqual(
        options.tier === 'namespaces'
          ? { kind: 'exited', exitCode: 5 }
          : { kind: 'signalled', signal: 'SIGKILL' },
      );
    });

    it('gives more disk than usual to who asks for it', async () => {
      const limits = { diskBytes: 90 * 2 ** 20, fileBytes: 90 * 2 ** 20 };
      const outcome = await run(sandbox, 'head -c 80M /dev/zero > f && stat -c %s f', { limits });
      expect(text(outcome)).toBe(`${80 * 2 ** 20}\n`);
    });

    it('holds the number of open files', async () => {
      const outcome = await run(sandbox, 'ulimit -n', { limits: { openFiles: 77 } });
      expect(text(outcome)).toBe('77\n');
    });
  });

  describe('output', () => {
    it('keeps exactly the cap, counts the rest, and does not kill', async () => {
      const command = 'head -c 100000 /dev/zero; head -c 50000 /dev/zero >&2; exit 7';
      const limits = { stdoutBytes: 1_001, stderrBytes: 999 };
      const { ending, stdout, stderr } = await run(sandbox, command, { limits });
      expect(ending).toEqual({ kind: 'exited', exitCode: 7 });
      expect([stdout.bytes.length, stdout.totalBytes, stdout.truncated]).toEqual([
        1_001,
        100_000,
        true,
      ]);
      expect([stderr.bytes.length, stderr.totalBytes, stderr.truncated]).toEqual([
        999,
        50_000,
        true,
      ]);
    });

    it('does not call truncated what fits exactly', async () => {
      const { stdout } = await run(sandbox, 'printf 12345', { limits: { stdoutBytes: 5 } });
      expect(stdout).toEqual({ bytes: Buffer.from('12345'), totalBytes: 5, truncated: false });
    });

    it('keeps none where none is wanted', async () => {
      const { stdout } = await run(sandbox, 'printf 12345', { limits: { stdoutBytes: 0 } });
      expect(stdout).toEqual({ bytes: Buffer.of(), totalBytes: 5, truncated: true });
    });

    it('survives endless output on both pipes', async () => {
      const outcome = await run(sandbox, 'yes >&2 & yes', { limits: { wallMs: 300 } });
      expect(outcome.ending.kind).toBe('timedOut');
      expect(outcome.stdout.bytes.length).toBe(2 ** 20);
      expect(outcome.stderr.bytes.length).toBe(2 ** 20);
    });

    it('passes on what a command wrote as it comes', async () => {
      const seen: string[] = [];
      const onOutput = ({ stream, bytes }: { stream: string; bytes: Buffer }) => {
        seen.push(`${stream} ${bytes}`);
      };
      await run(sandbox, 'echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c', { onOutput });
      expect(seen).toEqual(['stdout a\n', 'stderr b\n', 'stdout c\n']);
    });

    it('has what was written just before the end', async () => {
      const { stdout } = await run(sandbox, 'head -c 60000 /dev/zero; kill -9 $$');
      expect(stdout.totalBytes).toBe(60_000);
    });

    it('is not held up by a background process that keeps the pipes', async () => {
      const seconds = marker();
      const outcome = await run(sandbox, `sleep ${seconds} & echo started`);
      expect(text(outcome)).toBe('started\n');
      expect(outcome.usage.wallMs).toBeLessThan(2_000);
      expect(processesWith(seconds)).toEqual([]);
    });
  });

  describe('input', () => {
    it('is empty when there is none', async () => {
      expect(text(await run(sandbox, 'wc -c'))).toBe('0\n');
    });

    it('can be larger than every buffer on the way, in both directions', async () => {
      const stdin = Buffer.alloc(6 * 2 ** 20, 'errand ');
      const outcome = await run(sandbox, 'cat', { stdin, limits: { stdoutBytes: 2 ** 23 } });
      expect(outcome.stdout.bytes.equals(stdin)).toBe(true);
    });

    it.each(['true', 'head -c 10 >/dev/null', 'exec <&-; sleep 0.1'])(
      'may be ignored by `%s`',
      async (command) => {
        const { ending } = await run(sandbox, command, { stdin: Buffer.alloc(6 * 2 ** 20) });
        expect(ending).toEqual({ kind: 'exited', exitCode: 0 });
      },
    );

    it('does not keep a time-out from working', async () => {
      const { ending } = await run(sandbox, 'sleep 60', {
        stdin: Buffer.alloc(2 ** 22),
        limits: { wallMs: 200 },
      });
      expect(ending.kind).toBe('timedOut');
    });
  });

  describe('what a command sees', () => {
    it('is an environment with nothing of ours', async () => {
      const outcome = await run(sandbox, ['env'], { env: { GIVEN: 'x y', PATH: '/usr/bin' } });
      const names = text(outcome)
        .trim()
        .split('\n')
        .map((line) => line.split('=')[0]);
      expect(names.sort()).toEqual(
        [
          ...(options.tier === 'namespaces' ? [] : ['TMPDIR']),
          'GIVEN',
          'HOME',
          'LANG',
          'PATH',
          'PWD',
        ].sort(),
      );
    });

    it('is three open files', async () => {
      const outcome = await run(sandbox, [
        'sh',
        '-c',
        'for f in 3 4 5 6 7 8 9; do [ -e /dev/fd/$f ] && echo $f; done; :',
      ]);
      expect(text(outcome)).toBe('');
    });

    it('is no capability, no way to gain privileges, and a filter', async () => {
      if (options.tier !== 'namespaces') return; // /proc is out of sight in the others
      const outcome = await run(
        sandbox,
        'grep -E "^(CapPrm|CapEff|NoNewPrivs|Seccomp):" /proc/self/status',
      );
      expect(text(outcome).replace(/\t/g, ' ')).toBe(
        'CapPrm: 0000000000000000\nCapEff: 0000000000000000\nNoNewPrivs: 1\nSeccomp: 2\n',
      );
    });

    it('is no secret of its supervisor', async () => {
      const spy =
        'cat /proc/$PPID/environ /proc/$PPID/maps; ls /proc/$PPID/fd/; tr "\\0" " " < /proc/$PPID/cmdline';
      const { stdout } = await run(sandbox, spy);
      expect(stdout.bytes.toString().trim()).toBe(options.tier === 'namespaces' ? 'launcher' : '');
    });

    it('is not what we hide of /usr', async () => {
      const hiding = open({ ...options, hiddenPaths: ['/usr/share/doc', '/usr/lib/locale'] });
      const outcome = await run(
        hiding,
        'ls -A /usr/share/doc; ls -A /usr/lib/locale; wc -c < /usr/bin/env',
      );
      await hiding.close();
      expect(text(outcome)).toMatch(/^\d+\n$/);
    });

    it('cannot hide memory behind a name', async () => {
      const program =
        'open F, ">", "/proc/self/comm"; print F "VmRSS: 1"; close F; $x = "a" x (150 << 20); sleep 5';
      const { ending } = await run(sandbox, ['perl', '-e', `$0 = "VmRSS: 1"; ${program}`], {
        limits: { memoryBytes: 64 * 2 ** 20 },
      });
      expect(ending.kind).toBe('outOfMemory');
    });

    it('is no network', async () => {
      let called = 0;
      const server = createServer(() => called++).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as { port: number };
      const call = `import socket; socket.create_connection(("127.0.0.1", ${port}))`;
      const { ending } = await run(sandbox, ['python3', '-c', call]);
      server.close();
      expect(ending).toEqual({ kind: 'exited', exitCode: 1 });
      expect(called).toBe(0);
    });

    it('is not who we are', async () => {
      const outcome = await run(sandbox, 'id -u');
      if (options.tier === 'namespaces') expect(text(outcome)).toBe('1000\n');
      if (ownUid) expect(text(outcome)).not.toBe('0\n');
    });

    it('cannot kill its supervisor', async () => {
      const { ending } = await run(
        sandbox,
        'kill -9 $PPID; kill -TERM $PPID; kill -CHLD $PPID; sleep 0.1; exit 6',
      );
      expect(ending).toEqual({ kind: 'exited', exitCode: 6 });
    });
  });

  describe('what is left', () => {
    it('is nothing of a daemon', async () => {
      const seconds = marker();
      const outcome = await run(
        sandbox,
        `(setsid sh -c 'sleep ${seconds} & setsid sleep ${seconds}' >/dev/null 2>&1 &) ; sleep 0.1; echo up`,
      );
      expect(text(outcome)).toBe('up\n');
      expect(processesWith(seconds)).toEqual([]);
    });

    it('is nothing after a cancel', async () => {
      const seconds = marker();
      const controller = new AbortController();
      const onOutput = () => controller.abort();
      const command = `trap '' TERM; echo started; setsid sleep ${seconds} & sleep ${seconds}`;
      const outcome = await run(sandbox, command, { signal: controller.signal, onOutput });
      expect(outcome.ending).toEqual({ kind: 'aborted' });
      expect(text(outcome)).toBe('started\n');
      expect(processesWith(seconds)).toEqual([]);
    });

    it('is nothing when it was cancelled before it began', async () => {
      const { ending } = await run(sandbox, 'sleep 60', { signal: AbortSignal.abort() });
      expect(ending).toEqual({ kind: 'aborted' });
    });

    it('is no file for the next command', async () => {
      const tmp = options.tier === 'namespaces' ? '/tmp' : '"$TMPDIR"';
      await run(
        sandbox,
        `mkdir -p a/b; echo x > a/b/c; echo y > ${tmp}/d; chmod 000 a; ln -s / root`,
      );
      for (let next = 0; next < 5; next++) {
        expect(
          text(await run(sandbox, `ls -A . ${tmp} /dev/shm 2>/dev/null | grep -v : | grep .`)),
        ).toBe('');
      }
    });

    it('is no file of folders nested deeper than descriptors reach', async () => {
      const nest = 'import os\nfor i in range(3000): os.mkdir("d"); os.chdir("d")\nopen("f", "w")';
      expect((await run(sandbox, ['python3', '-c', nest])).ending).toEqual({
        kind: 'exited',
        exitCode: 0,
      });
      expect(text(await run(sandbox, 'ls -A'))).toBe('');
    });
  });
});

describe('launcher server', () => {
  const [variant] = variants();
  if (variant === undefined) throw new Error('no variant');

  it.each(variants())('takes everything with it when it is killed, $name', async ({ options }) => {
    const sandbox = open(options);
    const seconds = marker();
    const started = new Promise<void>((resolve) => {
      const running = run(sandbox, `setsid sleep ${seconds} & echo up; sleep ${seconds}`, {
        onOutput: () => resolve(),
      });
      running.catch(() => {});
    });
    await started;
    const server = children(process.pid).find((pid) =>
      readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('launcher'),
    );
    expect(server).toBeDefined();
    process.kill(server ?? 0, 'SIGKILL');
    await eventually(() => processesWith(seconds).length === 0, 'a command outlived the launcher');
    await sandbox.close();
  });

  it.each(variants())('leaves nothing when its client is killed, $name', async ({ options }) => {
    const seconds = marker();
    const before = readdirSync(tmpdir());
    const client = spawn(process.execPath, [clientScript, JSON.stringify(options), seconds], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(client.stdout, 'data');
    expect(processesWith(seconds)).not.toEqual([]);
    client.kill('SIGKILL');
    await eventually(() => processesWith(seconds).length === 0, 'a command outlived its client');
    const isAsBefore = () => readdirSync(tmpdir()).every((name) => before.includes(name));
    await eventually(isAsBefore, 'the launcher left files');
  });

  it.each(variants())('starts again after it was killed, $name', async ({ options }) => {
    const sandbox = open(options);
    expect(text(await run(sandbox, 'echo 1'))).toBe('1\n');
    for (const pid of children(process.pid)) {
      if (readFileSync(`/proc/${pid}/comm`, 'utf8').startsWith('launcher'))
        process.kill(pid, 'SIGKILL');
    }
    await eventually(() => children(process.pid).length === 0, 'the launcher did not die');
    expect(text(await run(sandbox, 'echo 2'))).toBe('2\n');
    await sandbox.close();
  });

  it.each(variants())('leaks nothing in 400 commands, $name', async ({ options }) => {
    const sandbox = open(options);
    await run(sandbox, 'true');
    const count = () => ({
      processes: descendants(process.pid),
      mounts: readFileSync('/proc/self/mounts', 'utf8')
        .split('\n')
        .filter((line) => line.includes('errand')).length,
      files: readdirSync(tmpdir(), { recursive: true }).length,
      descriptors: readdirSync('/proc/self/fd').length,
    });
    const before = count();
    const commands = ['echo hello', 'exit 3', 'kill -9 $$', 'sleep 100 & true', 'echo x > f'];
    let left = 400;
    await Promise.all(
      Array.from({ length: 4 }, async () => {
        while (left-- > 0) await run(sandbox, commands[left % commands.length] ?? '');
      }),
    );
    // The pool may have been a few ahead.
    const steady = () => {
      const after = count();
      return (
        after.processes <= before.processes + 2 &&
        after.mounts === before.mounts &&
        after.files <= before.files + 2 &&
        after.descriptors <= before.descriptors
      );
    };
    await eventually(steady, `${JSON.stringify(before)} became ${JSON.stringify(count())}`);
    await sandbox.close();
    expect(children(process.pid)).toEqual([]);
  });
});
