import type { Outcome } from '../../../lib/sandbox/sandbox.ts';
import { type Attack, type Harm, perl, unless } from './attack.ts';

const MiB = 1024 ** 2;
/** A uid's processes are counted together: its other tasks and all supervisors must have room. */
const roomOnSharedUid = 20 + 2 * 64 + 100;
const harmful = (what: string) => ({ notRun: `it would ${what}; the bounded ones are run` });
const sayAbove =
  (most: number, what: string) =>
  (outcome: Outcome): Harm => {
    const number = Number(String(outcome.stdout.bytes).match(/^count (\d+)/m)?.[1] ?? 0);
    return number > most ? `${number} ${what}` : undefined;
  };

/** Three hundred children that wait, or as many as there may be. */
const forks = `my $n = 0;
  for (1 .. 300) { my $p = fork; defined $p or next; $p or exec "sleep", 3; $n++ }
  print "count $n\\n"; kill 9, -getpgrp`;

/** Using up what is there for all: for the others as much must be left as before. */
export const bombs: readonly Attack[] = [
  {
    tries: 'starts hundreds of processes',
    command: () => perl(forks),
    limits: { processes: 20 },
    harm: (outcome, { sharesUid }) =>
      sayAbove(sharesUid ? roomOnSharedUid : 20, 'processes')(outcome),
    bare: () => perl(forks.replace('kill 9, -getpgrp', '')),
  },
  {
    tries: 'is a fork bomb',
    command: ({ mark }) => perl('fork while 1', `${mark}-left`),
    limits: { wallMs: 300 },
    harm: unless('timedOut'),
    bare: harmful('take the machine down'),
  },
  {
    tries: 'is a fork bomb of a shell, in sessions of their own',
    command: ({ mark }) => `f() { setsid sh -c ': ${mark}-left; sleep 9' & f | f & }; f; wait`,
    limits: { wallMs: 300 },
    bare: harmful('take the machine down'),
  },
  {
    tries: 'replaces itself by a child for ever, to be missed by those who count',
    command: ({ mark }) => perl('while (1) { fork and exit }', `${mark}-left`),
    limits: { wallMs: 1_000 },
    bare: harmful('never end'),
  },
  {
    tries: 'takes more memory than it may, in one process',
    command: () => perl('my $x = "a" x (200 << 20); sleep 1; print "count 200\\n"'),
    limits: { memoryBytes: 64 * MiB },
    harm: sayAbove(64, 'MiB'),
  },
  {
    tries: 'takes more memory than it may, in many processes',
    command: () =>
      perl(
        'for (1 .. 8) { fork or do { my $x = "a" x (24 << 20); sleep 2; exit } } 1 while wait > 0; print "count 192\\n"',
      ),
    limits: { memoryBytes: 64 * MiB },
    harm: sayAbove(64, 'MiB'),
  },
  {
    tries: 'takes memory as fast as it can',
    command: () => perl('my @x; push @x, "a" x (64 << 20) while 1'),
    limits: { memoryBytes: 64 * MiB },
    harm: unless('outOfMemory'),
    bare: harmful('have the kernel kill others'),
  },
  {
    tries: 'asks for a higher limit of everything',
    command: () =>
      'for l in c d f l m n s t u v; do ulimit -H$l unlimited || ulimit -$l 1000000; done; (ulimit -c unlimited) && echo "count 1"',
    harm: sayAbove(0, 'limits raised'),
    bare: () => 'ulimit -c unlimited && echo "count 1"',
  },
  {
    tries: 'fills every place that it can write to',
    command: () =>
      `for d in . /tmp /var/tmp /dev/shm /var /run; do head -c 6M /dev/zero > $d/fill && n=$((n + 6)); done; sleep 1; echo "count $n"; rm -f /tmp/fill /var/tmp/fill /dev/shm/fill`,
    limits: { diskBytes: 8 * MiB },
    harm: sayAbove(8, 'MiB'),
  },
  {
    tries: 'makes a file that is too large',
    command: () => 'head -c 20M /dev/zero > a; echo "count $(($(wc -c < a) >> 20))"',
    limits: { fileBytes: MiB },
    harm: sayAbove(1, 'MiB'),
  },
  {
    tries: 'makes a file that only seems large',
    command: () => 'truncate -s 1T a && echo "count 1"',
    harm: sayAbove(0, 'TiB'),
  },
  {
    tries: 'makes files and folders without end',
    command: () =>
      perl('my $n = 0; for (1 .. 6_000) { mkdir $_ and $n++ } sleep 1; print "count $n\\n"'),
    limits: { diskBytes: MiB },
    harm: sayAbove(4_500, 'folders'),
    bare: () => perl('my $n = 0; for (1 .. 4_600) { mkdir $_ and $n++ } print "count $n\\n"'),
  },
  {
    tries: 'opens files without end',
    command: () =>
      perl(
        'my @f; my $n = 0; for (1 .. 500) { open $f[$_], "<", "/dev/null" and $n++ } print "count $n\\n"',
      ),
    limits: { openFiles: 64 },
    harm: sayAbove(64, 'files'),
  },
  {
    tries: 'writes to both pipes without end',
    command: () => 'yes >&2 & yes',
    limits: { wallMs: 300, stdoutBytes: 5_000, stderrBytes: 5_000 },
    harm: unless('timedOut'),
    bare: harmful('fill the memory of the worker'),
  },
  {
    tries: 'writes more than is kept',
    command: () => 'head -c 2M /dev/zero; head -c 2M /dev/zero >&2',
    limits: { stdoutBytes: 5_000, stderrBytes: 5_000 },
    harm: ({ stdout, stderr }) =>
      stdout.bytes.length + stderr.bytes.length > 10_000 ? 'it filled the worker' : undefined,
  },
  {
    tries: 'ignores every signal that asks it to end',
    command: ({ mark }) =>
      perl(
        '$SIG{$_} = "IGNORE" for qw(TERM INT HUP QUIT XCPU); fork; sleep 1 while 1',
        `${mark}-left`,
      ),
    limits: { wallMs: 100 },
    harm: unless('timedOut'),
  },
  {
    tries: 'burns the processor in all its processes',
    command: ({ mark }) => perl('fork; 1 while 1', `${mark}-left`),
    limits: { wallMs: 60_000, cpuMs: 1_000 },
    harm: unless('signalled'),
  },
  {
    tries: 'passes an argument that no kernel takes',
    command: () => ['true', ...Array.from({ length: 40 }, () => 'x'.repeat(100_000))],
    harm: ({ ending }) =>
      ending.kind === 'exited' && ending.exitCode === 126 ? undefined : ending.kind,
    bare: { notRun: 'what is asked for is the answer 126 of the sandbox' },
  },
  {
    tries: 'calls itself without end',
    command: () => 'f() { f; }; f',
    limits: { wallMs: 3_000, memoryBytes: 64 * MiB },
    harm: ({ ending }) => (ending.kind === 'exited' && ending.exitCode === 0 ? 'ran' : undefined),
    bare: harmful('take all memory on a host without a limit of the stack'),
  },
  {
    tries: 'uses up the inotify instances of the user',
    command: () =>
      perl(`for (1 .. 12) { fork or last } my $n = 0; for (1 .. 40) { my $r = call(inotify_init1 => 0); $n++ if $r >= 0 }
        print "up\\n"; sleep 5`),
    during: async () => {
      const { watch } = await import('node:fs');
      const { setTimeout: later } = await import('node:timers/promises');
      const { tmpdir } = await import('node:os');
      for (let i = 0; i < 10; i += 1) {
        try {
          watch(tmpdir()).close();
        } catch {
          return 'the worker can watch no folder';
        }
        await later(20);
      }
      return undefined;
    },
    bare: () => perl('for (1 .. 500) { my $r = call(inotify_init1 => 0) } print "up\\n"; sleep 5'),
  },
  {
    tries: 'uses up memory of the kernel with locks on a file',
    command: () =>
      perl(`open my $f, "+>", "locks"; my $n = 0; my $end = time + 2; for (my $at = 4_000_000; $at > 0 && time < $end; $at -= 2) {
        my $l = pack "s s x4 q q l x4", 1, 0, $at, 1, 0; my $r = call(fcntl => fileno $f, 6, $l); $r == 0 and $n++ }
        print "count $n\\n"`),
    limits: { wallMs: 6_000, memoryBytes: 64 * MiB },
    harm: sayAbove(300_000, 'locks of 200 bytes'), // the kernel searches all for each new one
    bare: { notRun: 'the kernel itself bounds this: 16,000 locks take a process three seconds' },
  },
  {
    tries: 'holds a lock on a file that others lock, too',
    command: ({ canary }) =>
      perl('open my $f, "<", $ARGV[0] or exit; flock $f, 2 and broke "locked"; sleep 1', canary),
  },
];
