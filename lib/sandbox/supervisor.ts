import { constants } from 'node:os';
import { type Command, type Limits, type Program, SandboxError } from './sandbox.ts';
import { type Architecture, syscallNumber } from './syscalls.ts';

/** The descriptors that a supervisor is started with, beside the command's stdin and stdout. */
const supervisorFds = { diagnostics: 2, control: 3, stderr: 6 } as const;

/** What a supervisor tells about a command that ended. */
interface SupervisorReport {
  readonly end:
    | { readonly kind: 'exited'; readonly exitCode: number }
    | { readonly kind: 'signalled'; readonly signal: NodeJS.Signals };
  /** CPU time of the whole tree, from `getrusage`. */
  readonly cpuMs: number;
  /** Resident memory of the largest process, from `getrusage`. */
  readonly largestRssBytes: number;
}

export type SupervisorMessage =
  | { readonly kind: 'started' }
  | { readonly kind: 'ended'; readonly report: SupervisorReport };

/** Ask the supervisor, by a signal from outside, to end the command politely or the whole tree. */
export const supervisorSignals = { terminate: 'SIGTERM', kill: 'SIGUSR1' } as const;

/** The supervisor and the one that feeds stdin. */
const SUPERVISOR_PROCESSES = 2;

/** Memory that a process may map beyond `memoryBytes` before `malloc` fails, for untouched parts. */
const UNTOUCHED_BYTES = 1024 ** 3;

/**
 * Process 1 of the sandbox: sets the limits, starts the command as its child, waits, kills what is
 * left, and reports. bwrap alone would tell an exit code in which 137 may be `exit 137` or SIGKILL.
 *
 * Being process 1 it cannot be killed from inside; not dumpable, it cannot be traced or read there.
 * Its own messages go to the diagnostics, never to the command's stderr. Perl without any module
 * starts in 1.6 ms and is part of every Debian and Ubuntu.
 */
const script = String.raw`
open my $control, '+<&=', ${supervisorFds.control} or die "control: $!\n";
open my $stderr, '>&=', ${supervisorFds.stderr} or die "stderr: $!\n";
fcntl $_, 2, 1 for $control, $stderr; # F_SETFD, FD_CLOEXEC

sub take {
  my ($wanted, $taken) = (shift, '');
  while (length $taken < $wanted) {
    sysread $control, $taken, $wanted - length $taken, length $taken or exit 1;
  }
  return $taken;
}
my @job = split /\0/, take(unpack 'N', take(4)), -1;
my ($prctl, $prlimit, $getrusage, $close_range, $limits) = map { 0 + $_ } splice @job, 0, 5;

# The worker may itself have inherited descriptors that nobody marked.
for ([4, ${supervisorFds.stderr - 1}], [${supervisorFds.stderr + 1}, 0xffffffff]) {
  syscall($close_range, $_->[0], $_->[1], 0) == 0 or die "close_range: $!\n";
}

# Before it is not dumpable: after that its files in /proc belong to root.
if (open my $score, '>', '/proc/self/oom_score_adj') { syswrite $score, '1000' }
syscall($prctl, 4, 0, 0, 0, 0) == 0 or die "PR_SET_DUMPABLE: $!\n";

for (splice @job, 0, $limits) {
  my ($resource, $soft, $hard) = map { 0 + $_ } split / /;
  my $old = "\0" x 16;
  syscall($prlimit, 0, $resource, 0, $old) == 0 or die "getrlimit $resource: $!\n";
  my (undef, $ceiling) = unpack 'QQ', $old;
  $hard = $ceiling if $ceiling < $hard;
  $soft = $hard if $hard < $soft;
  my $new = pack 'QQ', $soft, $hard;
  syscall($prlimit, 0, $resource, $new, 0) == 0 or die "setrlimit $resource: $!\n";
}
my $count = shift @job;
my @argv = splice @job, 0, $count;

my $pid;
$SIG{TERM} = sub { kill 'TERM', -$pid if $pid };
$SIG{USR1} = sub { kill 'KILL', -1 };
syswrite $control, "started\n";

# A FIFO whose writer has gone cannot be opened again as /dev/stdin, a pipe can.
my $stdin;
if (-p STDIN) {
  pipe $stdin, my $feed or die "pipe: $!\n";
  my $feeder = fork;
  defined $feeder or die "fork: $!\n";
  if ($feeder == 0) {
    close $_ for *STDOUT, $stderr, $stdin;
    while (sysread STDIN, my $bytes, 65536) { syswrite $feed, $bytes }
    exit;
  }
}

$pid = fork;
defined $pid or die "fork: $!\n";
if ($pid == 0) {
  setpgrp 0, 0;
  open STDIN, '<&', $stdin if $stdin;
  open STDERR, '>&', $stderr;
  $SIG{FPE} = 'DEFAULT'; # Perl ignores it, and the command would inherit that
  %ENV = @job;
  exec { $argv[0] } @argv;
  my $missing = $! == 2 || $! == 20; # ENOENT, ENOTDIR
  my $why = $missing ? 'not found' : lcfirst "$!";
  syswrite STDERR, "errand: $argv[0]: $why\n";
  exit($missing ? 127 : 126);
}
setpgrp $pid, $pid; # both sides do it, whichever runs first
close $_ for *STDIN, *STDOUT, $stderr, $stdin || ();

my $ended;
do { $ended = wait } until $ended == $pid || $ended < 0;
my $status = $?;
kill 'KILL', -1;
1 while wait > 0;
my $usage = "\0" x 144;
syscall $getrusage, -1, $usage; # RUSAGE_CHILDREN
my ($us, $uus, $ss, $sus, $kib) = unpack 'q5', $usage;
syswrite $control, sprintf "ended %d %d %d\n", $status, ($us + $ss) * 1e6 + $uus + $sus, $kib;
`;

/** The supervisor's command line. It says nothing about the job, and any user may see it. */
export const supervisorCommand = ['/usr/bin/perl', '-e', script] as const;

/** Perl knows no numbers of system calls, so the job brings those of this architecture. */
const supervisorCalls = ['prctl', 'prlimit64', 'getrusage', 'close_range'] as const;

/**
 * What a supervisor reads from its control descriptor: a length, then fields that end in NUL.
 * @throws SandboxError when the command holds a NUL byte, which no process can be given.
 */
export function encodeJob(command: Command, limits: Limits, architecture: Architecture): Buffer {
  const argv = argumentVector(command.program);
  const resourceLimits = resourceLimitFields(limits);
  const fields = [
    ...supervisorCalls.map((name) => String(syscallNumber(name, architecture))),
    String(resourceLimits.length),
    ...resourceLimits,
    String(argv.length),
    ...argv,
    ...Object.entries(command.env).flat(),
  ];
  if (fields.some((field) => field.includes('\0'))) {
    throw new SandboxError('a command, an argument or a variable holds a NUL byte');
  }
  const body = Buffer.from(fields.join('\0'));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(body.length);
  return Buffer.concat([length, body]);
}

/** @throws SandboxError when there is no program to run. */
export function argumentVector(program: Program): readonly string[] {
  if (program.kind === 'shell') return ['/bin/sh', '-c', program.command];
  if (program.argv.length === 0) throw new SandboxError('argv is empty');
  return program.argv;
}

/** One line of a supervisor's report, undefined when it is not one of its lines. */
export function parseMessage(line: string): SupervisorMessage | undefined {
  if (line === 'started') return { kind: 'started' };
  const [, status, cpuUs, rssKib] = /^ended (\d+) (\d+) (\d+)$/.exec(line) ?? [];
  if (status === undefined) return undefined;
  const report = {
    end: decodeWaitStatus(Number(status)),
    cpuMs: Number(cpuUs) / 1000,
    largestRssBytes: Number(rssKib) * 1024,
  };
  return { kind: 'ended', report };
}

/** wait(2): the signal in the low seven bits, 0 when there was none; the exit code above. */
function decodeWaitStatus(status: number): SupervisorReport['end'] {
  const number = status & 0x7f;
  if (number === 0) return { kind: 'exited', exitCode: status >> 8 };
  const known = Object.entries(constants.signals).find(([, value]) => value === number);
  // Real-time signals have no name in Node; bash and glibc count them from SIGRTMIN, 34.
  const signal = known?.[0] ?? `SIGRTMIN+${number - 34}`;
  return { kind: 'signalled', signal: signal as NodeJS.Signals };
}

/** `resource soft hard` for each setrlimit(2); the numbers are Linux's on x64 and arm64. */
function resourceLimitFields(limits: Limits): string[] {
  const cpuSeconds = Math.max(1, Math.ceil(limits.cpuMs / 1000));
  const processes = limits.processes + SUPERVISOR_PROCESSES;
  const dataBytes = limits.memoryBytes + UNTOUCHED_BYTES;
  return [
    `0 ${cpuSeconds} ${cpuSeconds + 1}`, // RLIMIT_CPU: SIGXCPU, a second later SIGKILL
    `1 ${limits.fileBytes} ${limits.fileBytes}`, // RLIMIT_FSIZE
    `2 ${dataBytes} ${dataBytes}`, // RLIMIT_DATA: holds while the memory watch blinks
    '4 1 1', // RLIMIT_CORE: 0 would still feed a host's core_pattern program, 1 does not, core(5)
    `6 ${processes} ${processes}`, // RLIMIT_NPROC
    `7 ${limits.openFiles} ${limits.openFiles}`, // RLIMIT_NOFILE
    '12 0 0', // RLIMIT_MSGQUEUE
  ];
}
