import { expect, it } from 'vitest';
import type { OutputChunk } from '../../lib/sandbox/sandbox.ts';
import { errorText, text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';
import { tierTraits } from './tiers.ts';

const MiB = 1024 ** 2;

describeSandboxed('the output of a command', (run, tier) => {
  it('keeps both streams apart', async () => {
    const outcome = await run('echo out; echo err >&2');
    expect(text(outcome)).toBe('out\n');
    expect(errorText(outcome)).toBe('err\n');
  });

  it('is cut exactly at its limit, and all of it is counted', async () => {
    const outcome = await run("head -c 100000 /dev/zero | tr '\\0' x; printf yyy >&2", {
      limits: { stdoutBytes: 4097, stderrBytes: 2 },
    });
    expect(outcome.ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(text(outcome)).toBe('x'.repeat(4097));
    expect(outcome.stdout).toMatchObject({ totalBytes: 100_000, truncated: true });
    expect(errorText(outcome)).toBe('yy');
    expect(outcome.stderr).toMatchObject({ totalBytes: 3, truncated: true });
  });

  it('is not truncated when it ends at its limit', async () => {
    const { stdout } = await run('printf 1234', { limits: { stdoutBytes: 4 } });
    expect(stdout).toMatchObject({ totalBytes: 4, truncated: false });
  });

  it('is handed on as it comes, the kept bytes and no others', async () => {
    const chunks: OutputChunk[] = [];
    await run('head -c 200000 /dev/zero; echo err >&2', {
      limits: { stdoutBytes: 150_000 },
      onOutput: (chunk) => chunks.push(chunk),
    });
    const kept = (stream: string) =>
      Buffer.concat(chunks.filter((chunk) => chunk.stream === stream).map(({ bytes }) => bytes));
    expect(kept('stdout').equals(Buffer.alloc(150_000))).toBe(true);
    expect(kept('stderr').toString()).toBe('err\n');
  });

  it('may have no end: the time limit ends the command, not the output limit', async () => {
    const outcome = await run('yes', { limits: { wallMs: 300, stdoutBytes: 1000 } });
    expect(outcome.ending).toEqual({ kind: 'timedOut', limitMs: 300 });
    expect(outcome.stdout.bytes).toHaveLength(1000);
    expect(outcome.stdout.totalBytes).toBeGreaterThan(MiB);
  });

  it('keeps bytes that are not UTF-8 as they are', async () => {
    const { stdout } = await run("printf '\\377\\000\\303\\050'");
    expect([...stdout.bytes]).toEqual([0xff, 0x00, 0xc3, 0x28]);
  });

  it('goes through /dev/stdout and /dev/stderr as well, where there is a /proc', async () => {
    const outcome = await run('echo err > /dev/stderr; echo out > /dev/stdout');
    const { hasProc } = tierTraits[tier];
    expect(text(outcome)).toBe(hasProc ? 'out\n' : '');
    expect(errorText(outcome)).toMatch(
      hasProc ? /^err\n$/ : /cannot create \/dev\/stderr: Permission denied\n/,
    );
  });

  it('that the caller cannot take kills the command and fails the run', async () => {
    const full = new Error('disk full');
    const onOutput = () => {
      throw full;
    };
    await expect(run('echo hello; sleep 60', { onOutput })).rejects.toBe(full);
  });
});

describeSandboxed('the input of a command', (run, tier) => {
  const stdin = Buffer.alloc(MiB, 'abcdefg\n');

  it('comes back whole from a command that echoes it', async () => {
    const { stdout } = await run('cat', { stdin, limits: { stdoutBytes: 2 * MiB } });
    expect(stdout.bytes.equals(stdin)).toBe(true);
  });

  it('need not be read', async () => {
    expect((await run('true', { stdin })).ending).toEqual({ kind: 'exited', exitCode: 0 });
    expect(text(await run('head -c 3; echo', { stdin }))).toBe('abc\n');
  });

  it('need not be read by a command that is killed', async () => {
    const outcome = await run('sleep 60', { stdin, limits: { wallMs: 100 } });
    expect(outcome.ending.kind).toBe('timedOut');
  });

  it('can be opened as /dev/stdin, where there is a /proc', async () => {
    const outcome = await run('cat /dev/stdin; cat -', { stdin: Buffer.from('hello') });
    expect(text(outcome)).toBe('hello'); // by its path, or else by its number
    expect(errorText(outcome)).toBe(
      tierTraits[tier].hasProc ? '' : 'cat: /dev/stdin: Permission denied\n',
    );
  });

  it('is at its end when there is none', async () => {
    expect(text(await run('wc -c'))).toBe('0\n');
  });
});
