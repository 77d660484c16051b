import { describe, expect, it } from 'vitest';
import { describeLaunchers, text } from './launcher-fixture.ts';

describeLaunchers('the ending of a command', (run, { options }) => {
  describe('endings', () => {
    it.each([0, 1, 42, 126, 127, 137, 255])('tells exit code %i', async (exitCode) => {
      const { ending } = await run(`exit ${exitCode}`);
      expect(ending).toEqual({ kind: 'exited', exitCode });
    });

    it.each(['SIGSEGV', 'SIGKILL', 'SIGTERM', 'SIGABRT', 'SIGHUP'] as const)(
      'tells %s apart from an exit code',
      async (signal) => {
        const { ending } = await run(`kill -${signal.slice(3)} $$`);
        expect(ending).toEqual({ kind: 'signalled', signal });
      },
    );

    it('leaves 128+n of a shell what it is: an exit code', async () => {
      const { ending } = await run("sh -c 'kill -9 $$'; exit $?");
      expect(ending).toEqual({ kind: 'exited', exitCode: 137 });
    });

    it('says like a shell that there is no such program', async () => {
      const { ending, stderr } = await run(['no-such-program', 'x']);
      expect(ending).toEqual({ kind: 'exited', exitCode: 127 });
      expect(stderr.bytes.toString()).toBe('errand: no-such-program: not found\n');
    });

    it('says like a shell that a file cannot be run', async () => {
      const { ending, stderr } = await run(['/usr/share']);
      expect(ending).toEqual({ kind: 'exited', exitCode: 126 });
      expect(stderr.bytes.toString()).toBe('errand: /usr/share: permission denied\n');
    });

    it('runs an argument vector without a shell', async () => {
      const outcome = await run(['printf', '%s|', 'a b', '$HOME', '', ';']);
      expect(text(outcome)).toBe('a b|$HOME||;|');
    });

    it('measures time and memory', async () => {
      const { usage } = await run(
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
      const outcome = await run('echo before; sleep 60', { limits: { wallMs: 200 } });
      expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 200 });
      expect(text(outcome)).toBe('before\n');
    });

    it('kills what ignores SIGTERM', async () => {
      const outcome = await run("trap '' TERM; sleep 60; sleep 60", {
        limits: { wallMs: 200 },
      });
      expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 200 });
      expect(outcome.usage.wallMs).toBeLessThan(4_000);
    });

    it('lets a command use the time between SIGTERM and SIGKILL', async () => {
      const outcome = await run("trap 'echo bye; exit 3' TERM; sleep 60 & wait", {
        limits: { wallMs: 200 },
      });
      expect(outcome.ending.kind).toBe('timedOut');
      expect(text(outcome)).toBe('bye\n');
    });

    it('ends what uses up its CPU time', async () => {
      const { ending, usage } = await run('while :; do :; done', {
        limits: { cpuMs: 1_000 },
      });
      expect(ending).toEqual({ kind: 'signalled', signal: 'SIGXCPU' });
      expect(usage.cpuMs).toBeGreaterThan(700); // the kernel counts in ticks
    });

    it('ends one process that takes too much memory', async () => {
      const { ending, usage } = await run('tail /dev/zero', {
        limits: { memoryBytes: 64 * 2 ** 20 },
      });
      expect(ending).toEqual({ kind: 'outOfMemory', limitBytes: 64 * 2 ** 20 });
      expect(usage.maxRssBytes).toBeLessThan(512 * 2 ** 20);
    });

    it('ends a tree whose processes together take too much memory', async () => {
      const part = '{ head -c 20M /dev/zero; sleep 5; } | tail >/dev/null &';
      const { ending } = await run(`${part.repeat(6)} wait`, {
        limits: { memoryBytes: 64 * 2 ** 20 },
      });
      expect(ending.kind).toBe('outOfMemory');
    });

    it('does not count shared pages twice', async () => {
      const program =
        'import os,time\nx=bytearray(80<<20)\nfor i in range(4):\n  if os.fork()==0: time.sleep(.3); os._exit(0)\nfor i in range(4): os.wait()\nprint("done")';
      const outcome = await run(['python3', '-c', program], {
        limits: { memoryBytes: 160 * 2 ** 20 },
      });
      expect(text(outcome)).toBe('done\n');
    });

    it('holds a fork bomb', async () => {
      const bomb = 'i=0; while [ $i -lt 200 ]; do sleep 3 & i=$((i+1)); done; echo all';
      const outcome = await run(bomb, { limits: { processes: 20 } });
      expect(text(outcome)).toBe('');
      expect(outcome.stderr.bytes.toString()).toMatch(/fork/i);
    });

    it('holds the size of a file', async () => {
      const { ending } = await run('exec head -c 2000000 /dev/zero > big', {
        limits: { fileBytes: 1_000_000 },
      });
      expect(ending).toEqual({ kind: 'signalled', signal: 'SIGXFSZ' });
    });

    it('holds the size of all files', async () => {
      const fill =
        'for i in 1 2 3 4 5 6 7 8; do head -c 2M /dev/zero > f$i || exit 5; done; sleep 2';
      const { ending } = await run(fill, { limits: { diskBytes: 6 * 2 ** 20 } });
      expect(ending).toEqual(
        options.tier === 'namespaces'
          ? { kind: 'exited', exitCode: 5 }
          : { kind: 'signalled', signal: 'SIGKILL' },
      );
    });

    it('gives more disk than usual to who asks for it', async () => {
      const limits = { diskBytes: 90 * 2 ** 20, fileBytes: 90 * 2 ** 20 };
      const outcome = await run('head -c 80M /dev/zero > f && stat -c %s f', { limits });
      expect(text(outcome)).toBe(`${80 * 2 ** 20}\n`);
    });

    it('holds the number of open files', async () => {
      const outcome = await run('ulimit -n', { limits: { openFiles: 77 } });
      expect(text(outcome)).toBe('77\n');
    });
  });
});
