import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { processesWith, uniqueSeconds } from '../support/processes.ts';
import { errorText, text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';
import { tierTraits } from './tiers.ts';

const MiB = 1024 ** 2;

describeSandboxed('what a command may use', (run, tier) => {
  it('has a bound on processes', async () => {
    const script = '$n++ while defined($p = fork) && ($p || exit sleep 60) && $n < 500; print $n';
    const outcome = await run(['perl', '-e', script], { limits: { processes: 20 } });
    expect(Number(text(outcome))).toBeGreaterThan(10);
    expect(Number(text(outcome))).toBeLessThanOrEqual(20);
  });

  it('has a bound on processes for each command, not for all together', async () => {
    const script = 'for i in 1 2 3 4 5 6 7 8; do sleep 0.3 & done; wait; echo done';
    const outcomes = await Promise.all(
      [1, 2, 3, 4].map(() => run(script, { limits: { processes: 12 } })),
    );
    expect(outcomes.map(text)).toEqual(Array(4).fill('done\n'));
  });

  it('survives a fork bomb, of which nothing is left', async () => {
    const marker = uniqueSeconds();
    const outcome = await run(['perl', '-e', 'fork while 1', marker], { limits: { wallMs: 500 } });
    expect(outcome.ending.kind).toBe('timedOut');
    expect(processesWith(marker)).toEqual([]);
  });

  it('ends daemons that left their group and their session', async () => {
    const seconds = uniqueSeconds();
    const outcome = await run(`(setsid sleep ${seconds} </dev/null >/dev/null 2>&1 &); echo done`);
    expect(text(outcome)).toBe('done\n');
    expect(processesWith(seconds)).toEqual([]);
  });

  it('has a bound on all places to write together', async () => {
    const killed = tierTraits[tier].fullDisk === 'killed';
    const places = killed ? 'a b c d' : '/work/a /tmp/a /dev/shm/a /var/a';
    const outcome = await run(
      `for f in ${places}; do head -c 4M /dev/zero > $f; done; cat ${places} | wc -c; ${killed ? 'sleep 60' : ''}`,
      { limits: { diskBytes: 8 * MiB } },
    );
    if (killed) {
      expect(outcome.ending).toEqual({ kind: 'signalled', signal: 'SIGKILL' });
      expect(outcome.usage.wallMs).toBeLessThan(10_000);
      return;
    }
    expect(Number(text(outcome))).toBeGreaterThan(7 * MiB);
    expect(Number(text(outcome))).toBeLessThanOrEqual(8 * MiB);
    expect(errorText(outcome)).toContain('No space left on device');
  });

  it('has a bound on the size of a file', async () => {
    const outcome = await run('exec head -c 4M /dev/zero > a', { limits: { fileBytes: MiB } });
    expect(outcome.ending).toEqual({ kind: 'signalled', signal: 'SIGXFSZ' });
  });

  it('has a bound on open files', async () => {
    const script = 'while (open my $f, "<", "/dev/null") { push @f, $f } print scalar @f';
    const outcome = await run(['perl', '-e', script], { limits: { openFiles: 32 } });
    expect(text(outcome)).toBe('29');
  });

  it('keeps no core dump', async () => {
    const outcome = await run("sh -c 'kill -ABRT $$'; ls -A /work; ulimit -Hc");
    expect(text(outcome)).toBe('0\n');
    expect(errorText(outcome)).not.toContain('core dumped');
  });

  it('can be asked for in whole numbers of any size', async () => {
    const most = Number.MAX_SAFE_INTEGER;
    const limits = { fileBytes: most, diskBytes: 2 ** 40, openFiles: 2 ** 30, processes: 2 ** 30 };
    expect(text(await run('echo fine', { limits }))).toBe('fine\n');
  });

  it('holds no file of ours open', async () => {
    // Tried by number, since there may be no /proc to ask.
    const script = 'open $f, "<&=", $_ and print "$_\\n" for 0 .. 63';
    expect(text(await run(['perl', '-e', script]))).toBe('0\n1\n2\n');
    const listed = text(await run(['ls', '/proc/self/fd']));
    expect(listed).toBe(tierTraits[tier].hasProc ? '0\n1\n2\n3\n' : '');
  });
});

describeSandboxed('a worker', (run) => {
  it('keeps as many descriptors and children after many commands as before', async () => {
    const many = () =>
      Promise.all(Array.from({ length: 40 }, () => run('cat', { stdin: Buffer.from('x') })));
    await many();
    const open = () => readdirSync('/proc/self/fd').length;
    const before = open();
    await many();
    await many();
    // the stock of pipes goes up and down by a batch
    expect(open()).toBeLessThan(before + 60);
  });
});
