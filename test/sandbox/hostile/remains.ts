import { type Attack, BROKE, perl, unless } from './attack.ts';

/** What outlives a task, and what the next one finds of it. */
export const remains: readonly Attack[] = [
  {
    tries: 'leaves a process in the background',
    command: ({ mark }) => `perl -e 'sleep 30' ${mark}-left & echo started`,
  },
  {
    tries: 'leaves a daemon: forked twice, in a session of its own',
    command: ({ mark }) =>
      perl(
        'use POSIX; pipe R, W; if (fork) { close W; <R>; exit } close R; setsid; fork and exit; chdir "/"; close $_ for *STDIN, *STDOUT, *STDERR, *W; sleep 30',
        `${mark}-left`,
      ),
  },
  {
    tries: 'leaves a stopped process, and a dead one that nobody waits for',
    command: ({ mark }) =>
      perl(
        'my $p = fork; $p or do { kill 19, $$; exit }; fork or exit; select undef, undef, undef, 0.05',
        `${mark}-left`,
      ),
    bare: ({ mark }) => perl('my $p = fork; $p or do { kill 19, $$; exit }', `${mark}-left`),
  },
  {
    tries: 'leaves processes that hold its pipes',
    command: ({ mark }) => `setsid nohup perl -e 'sleep 30' ${mark}-left & exit 3`,
    harm: ({ usage }) => (Number(usage.wallMs) > 5_000 ? 'it held the worker up' : undefined),
  },
  {
    tries: 'is killed while its children make more children',
    command: ({ mark }) =>
      perl(
        'for (1 .. 4) { fork or do { while (1) { fork and exit; select undef, undef, undef, 0.002 } } } kill 9, $$',
        `${mark}-left`,
      ),
    bare: ({ mark }) => perl('fork or sleep 30; kill 9, $$', `${mark}-left`),
  },
  {
    tries: 'leaves a process for the next task to be killed by',
    command: ({ mark }) =>
      `setsid perl -e 'while (1) { select undef, undef, undef, 0.01 }' ${mark}-left &`,
    next: ({ mark }) => `ps -ef | grep -v grep | grep ${mark}-left && echo ${BROKE} it lives`,
  },
  {
    tries: 'leaves files for the next task to read',
    command: ({ mark }) =>
      `for d in . /tmp /var/tmp /dev/shm /var; do echo x > $d/${mark}-own; mkdir $d/.${mark}; done; chmod 0 .; true`,
    next: ({ mark }) =>
      `for d in . /tmp /var/tmp /dev/shm /var; do cat $d/${mark}-own && echo ${BROKE} $d; ls -A $d | grep ${mark} && echo ${BROKE} $d; done`,
  },
  {
    tries: 'leaves folders deeper than any path can name',
    command: () =>
      perl('for (1 .. 400) { mkdir "d" x 99 and chdir "d" x 99 or last } open my $f, ">", "end"'),
    limits: { diskBytes: 8 * 1024 ** 2 },
    next: () => `ls -A | grep d && echo ${BROKE} found; true`,
    bare: ({ folder }) =>
      perl('chdir $ARGV[0]; mkdir "d" and chdir "d" or exit for 1 .. 50', folder),
  },
  {
    tries: 'leaves an abstract socket for the next task',
    command: ({ mark }) =>
      perl(
        'use Socket; fork and exit; socket S, PF_UNIX, SOCK_STREAM, 0 or exit; bind S, sockaddr_un("\\0$ARGV[0]") and listen S, 5; sleep 30',
        `${mark}-left`,
      ),
    next: ({ mark }) =>
      perl(
        'use Socket; socket S, PF_UNIX, SOCK_STREAM, 0 or exit; select undef, undef, undef, 0.1; connect S, sockaddr_un("\\0$ARGV[0]") and broke "connected"',
        `${mark}-left`,
      ),
  },
  {
    tries: 'leaves shared memory for the next task',
    command: ({ ipcKey }) => perl('my $r = call(shmget => $ARGV[0], 4096, 01666)', ipcKey),
    next: ({ ipcKey }) =>
      perl('my $r = call(shmget => $ARGV[0], 0, 0); broke "found" if $r >= 0', ipcKey),
  },
  {
    tries: 'leaves less memory and fewer processes for the next task',
    command: () =>
      perl('for (1 .. 60) { fork or do { my $x = "a" x (4 << 20); sleep 30 } } sleep 30'),
    limits: { wallMs: 400, memoryBytes: 128 * 1024 ** 2 },
    next: () =>
      perl(
        'my @p; my $x = "a" x (40 << 20); for (1 .. 14) { my $p = fork; defined $p or do { broke "no process $_"; last }; $p or do { sleep 1; exit } }',
      ),
    bare: { notRun: 'without limits there is none that could be lower' },
  },
  {
    tries: 'leaves a core dump with what was in memory',
    command: () =>
      `ulimit -c unlimited; perl -e 'kill 6, $$'; ls core* /tmp/core* /var/tmp/core* && echo ${BROKE} a dump`,
    bare: () =>
      `case $(cat /proc/sys/kernel/core_pattern) in core*) ulimit -c unlimited; perl -e 'kill 6, $$'; ls core* && echo ${BROKE} a dump;; *) echo ${BROKE} it is handed to a program;; esac`,
  },
  {
    tries: 'leaves variables, limits and a mask for the next task',
    command: () => 'export LEFT=1; ulimit -n 8; umask 777; cd /; exec >/dev/null',
    next: () =>
      `[ -z "$LEFT" ] && [ "$(ulimit -n)" -gt 8 ] && [ "$(umask)" != 0777 ] || echo ${BROKE} it found them`,
    bare: { notRun: 'a process of its own is all that this takes' },
  },
  {
    tries: 'waits for input that never ends',
    command: () => 'cat; read x; sleep 60',
    limits: { wallMs: 200 },
    harm: unless('timedOut'),
    bare: { notRun: 'this ends by any time limit' },
  },
];
