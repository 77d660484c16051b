import { describe, expect, it } from 'vitest';
import { processesWith, uniqueSeconds } from '../support/processes.ts';
import { describeLaunchers, text } from './launcher-fixture.ts';

describeLaunchers('the streams of a command', (run) => {
  describe('output', () => {
    it('keeps exactly the cap, counts the rest, and does not kill', async () => {
      const command = 'head -c 100000 /dev/zero; head -c 50000 /dev/zero >&2; exit 7';
      const limits = { stdoutBytes: 1_001, stderrBytes: 999 };
      const { ending, stdout, stderr } = await run(command, { limits });
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
      const { stdout } = await run('printf 12345', { limits: { stdoutBytes: 5 } });
      expect(stdout).toEqual({ bytes: Buffer.from('12345'), totalBytes: 5, truncated: false });
    });

    it('keeps none where none is wanted', async () => {
      const { stdout } = await run('printf 12345', { limits: { stdoutBytes: 0 } });
      expect(stdout).toEqual({ bytes: Buffer.of(), totalBytes: 5, truncated: true });
    });

    it('survives endless output on both pipes', async () => {
      const outcome = await run('yes >&2 & yes', { limits: { wallMs: 300 } });
      expect(outcome.ending.kind).toBe('timedOut');
      expect(outcome.stdout.bytes.length).toBe(2 ** 20);
      expect(outcome.stderr.bytes.length).toBe(2 ** 20);
    });

    it('passes on what a command wrote as it comes', async () => {
      const seen: string[] = [];
      const onOutput = ({ stream, bytes }: { stream: string; bytes: Buffer }) => {
        seen.push(`${stream} ${bytes}`);
      };
      await run('echo a; sleep 0.1; echo b >&2; sleep 0.1; echo c', { onOutput });
      expect(seen).toEqual(['stdout a\n', 'stderr b\n', 'stdout c\n']);
    });

    it('has what was written just before the end', async () => {
      const { stdout } = await run('head -c 60000 /dev/zero; kill -9 $$');
      expect(stdout.totalBytes).toBe(60_000);
    });

    it('is not held up by a background process that keeps the pipes', async () => {
      const seconds = uniqueSeconds();
      const outcome = await run(`sleep ${seconds} & echo started`);
      expect(text(outcome)).toBe('started\n');
      expect(outcome.usage.wallMs).toBeLessThan(2_000);
      expect(processesWith(seconds)).toEqual([]);
    });
  });

  describe('input', () => {
    it('is empty when there is none', async () => {
      expect(text(await run('wc -c'))).toBe('0\n');
    });

    it('can be larger than every buffer on the way, in both directions', async () => {
      const stdin = Buffer.alloc(6 * 2 ** 20, 'errand ');
      const outcome = await run('cat', { stdin, limits: { stdoutBytes: 2 ** 23 } });
      expect(outcome.stdout.bytes.equals(stdin)).toBe(true);
    });

    it.each(['true', 'head -c 10 >/dev/null', 'exec <&-; sleep 0.1'])(
      'may be ignored by `%s`',
      async (command) => {
        const { ending } = await run(command, { stdin: Buffer.alloc(6 * 2 ** 20) });
        expect(ending).toEqual({ kind: 'exited', exitCode: 0 });
      },
    );

    it('does not keep a time-out from working', async () => {
      const { ending } = await run('sleep 60', {
        stdin: Buffer.alloc(2 ** 22),
        limits: { wallMs: 200 },
      });
      expect(ending.kind).toBe('timedOut');
    });
  });
});
