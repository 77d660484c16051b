import { expect, it } from 'vitest';
import { processesWith, uniqueSeconds } from '../support/processes.ts';
import { errorText, text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';
import { syscallNumber } from './syscalls.ts';
import { tierTraits } from './tiers.ts';

const MiB = 1024 ** 2;

describeSandboxed('the ending of a command', (run, tier) => {
  it('is exit code 0 when it succeeds', async () => {
    expect((await run('true')).ending).toEqual({ kind: 'exited', exitCode: 0 });
  });

  it.each([1, 2, 126, 127, 137, 143, 255])('is exit code %i when it says so', async (exitCode) => {
    expect((await run(`exit ${exitCode}`)).ending).toEqual({ kind: 'exited', exitCode });
  });

  it.each([
    ['KILL', 'SIGKILL'],
    ['TERM', 'SIGTERM'],
    ['SEGV', 'SIGSEGV'],
    ['PIPE', 'SIGPIPE'],
    ['USR1', 'SIGUSR1'],
  ])('is the signal %s when one kills it', async (name, signal) => {
    expect((await run(`kill -${name} $$`)).ending).toEqual({ kind: 'signalled', signal });
  });

  it('is exit code 127, with a word on stderr, when the program does not exist', async () => {
    const outcome = await run(['no-such-program']);
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 127 });
    expect(errorText(outcome)).toBe('errand: no-such-program: not found\n');
  });

  it('is exit code 126, with a word on stderr, when the program cannot be executed', async () => {
    const outcome = await run(['/etc/passwd']);
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 126 });
    expect(errorText(outcome)).toBe('errand: /etc/passwd: permission denied\n');
  });

  it('is exit code 126 when the kernel takes no argument that long', async () => {
    const outcome = await run(`: ${'x'.repeat(200_000)}`);
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 126 });
    expect(errorText(outcome)).toBe('errand: /bin/sh: argument list too long\n');
  });

  it('passes arguments on without a shell', async () => {
    const argv = ['printf', '%s|', 'a b', '', '$HOME', "it's", 'é', '*'];
    expect(text(await run(argv))).toBe("a b||$HOME|it's|é|*|");
  });

  it('is a time-out, with the output so far, when SIGTERM is ignored', async () => {
    const outcome = await run('trap "" TERM; echo before; while :; do sleep 1; done', {
      limits: { wallMs: 200 },
    });
    expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 200 });
    expect(text(outcome)).toBe('before\n');
    expect(outcome.usage.wallMs).toBeGreaterThan(2000);
    expect(outcome.usage.wallMs).toBeLessThan(5000);
  });

  it('is a time-out, with its last words, when SIGTERM is obeyed', async () => {
    const outcome = await run('trap "echo bye; exit 0" TERM; while :; do sleep 0.05; done', {
      limits: { wallMs: 200 },
    });
    expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 200 });
    expect(text(outcome)).toBe('bye\n');
    expect(outcome.usage.wallMs).toBeLessThan(2000);
  });

  it('is SIGXCPU when the CPU time is used up', async () => {
    const outcome = await run('while :; do :; done', { limits: { cpuMs: 1000 } });
    expect(outcome.ending).toEqual({ kind: 'signalled', signal: 'SIGXCPU' });
    expect(outcome.usage.cpuMs).toBeGreaterThan(500); // the kernel counts it in ticks
  });

  it('is out of memory when one process takes too much', async () => {
    const command = ['perl', '-e', '$x = "a" x (300 << 20); sleep 60'];
    const outcome = await run(command, { limits: { memoryBytes: 64 * MiB } });
    expect(outcome.ending).toEqual({ kind: 'outOfMemory', limitBytes: 64 * MiB });
    expect(outcome.usage.maxRssBytes).toBeGreaterThan(64 * MiB);
  });

  it('is out of memory when many processes take too much together', async () => {
    const command = 'for i in 1 2 3 4; do perl -e \'$x = "a" x (30 << 20); sleep 60\' & done; wait';
    const outcome = await run(command, { limits: { memoryBytes: 96 * MiB } });
    expect(outcome.ending).toEqual({ kind: 'outOfMemory', limitBytes: 96 * MiB });
  });

  it('is out of memory when it hides its memory from other processes', async () => {
    const hide = `syscall ${syscallNumber('prctl', process.arch === 'arm64' ? 'arm64' : 'x64')}, 4, 0, 0, 0, 0`;
    const script = `${hide}; $n = 300 << 20; $x = "a" x $n; sleep 60`;
    const outcome = await run(['perl', '-e', script], { limits: { memoryBytes: 64 * MiB } });
    expect(outcome.ending.kind).toBe('outOfMemory');
  });

  it('comes before it has filled the kernel, or the disk, with empty files', async () => {
    const script = 'open F, ">", $_ for 1 .. 10_000_000';
    const onDisk = tierTraits[tier].fullDisk === 'killed'; // there, empty files are of the disk
    const limits = onDisk ? { diskBytes: 2 * MiB } : { memoryBytes: 24 * MiB };
    const { ending } = await run(['perl', '-e', script], { limits });
    expect(ending).toEqual(
      onDisk
        ? { kind: 'signalled', signal: 'SIGKILL' }
        : { kind: 'outOfMemory', limitBytes: 24 * MiB },
    );
  });

  it('is its own when many processes share the memory of one', async () => {
    const script = '$x = "a" x (40 << 20); fork && fork && fork; select undef, undef, undef, 0.3';
    const outcome = await run(['perl', '-e', script], { limits: { memoryBytes: 96 * MiB } });
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 0 });
  });

  it('is aborted, with nothing left, when the caller gives up', async () => {
    const seconds = uniqueSeconds();
    const caller = new AbortController();
    const outcome = await run(`sleep ${seconds} & echo started; sleep ${seconds}`, {
      onOutput: () => caller.abort(),
      signal: caller.signal,
    });
    expect(outcome.ending).toEqual({ kind: 'aborted' });
    expect(text(outcome)).toBe('started\n');
    expect(processesWith(seconds)).toEqual([]);
  });

  it('is aborted when the caller gives up before it begins, or while it is set up', async () => {
    expect((await run('true', { signal: AbortSignal.abort() })).ending.kind).toBe('aborted');
    for (let turn = 0; turn < 5; turn += 1) {
      const caller = new AbortController();
      const outcome = run('sleep 60', { signal: caller.signal });
      for (let tick = 0; tick < turn; tick += 1) await new Promise(setImmediate);
      caller.abort();
      expect((await outcome).ending).toEqual({ kind: 'aborted' });
    }
  });

  it('does not wait for a background child that holds stdout open', async () => {
    const seconds = uniqueSeconds();
    const outcome = await run(`sleep ${seconds} & echo done`);
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(text(outcome)).toBe('done\n');
    expect(processesWith(seconds)).toEqual([]);
  });

  it('tells the wall time, the CPU time of all processes and the peak of memory', async () => {
    const { usage } = await run(
      '(i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done); perl -e \'$x = "a" x (50 << 20)\'; sleep 0.3',
    );
    expect(usage.wallMs).toBeGreaterThan(300);
    expect(usage.cpuMs).toBeGreaterThan(20);
    expect(usage.maxRssBytes).toBeGreaterThan(50 * MiB);
    expect(usage.maxRssBytes).toBeLessThan(128 * MiB);
  });
});
