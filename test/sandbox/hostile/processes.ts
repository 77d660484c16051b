import { type Attack, BROKE, perl, tryCall } from './attack.ts';

const signal = (name: string, ...pids: number[]) => `kill -${name} ${pids.join(' ')}`;

/** Other processes: not ended, not stopped, not traced, not slowed, not written to. */
export const processes: readonly Attack[] = [
  { tries: 'kills a process of the host', command: ({ victim }) => signal('KILL', victim().pid) },
  { tries: 'stops a process of the host', command: ({ victim }) => signal('STOP', victim().pid) },
  {
    tries: 'kills its worker and the group that it is of',
    command: ({ workerPid }) => `${signal('KILL', workerPid)}; kill -KILL -- -${workerPid}`,
    bare: ({ victim }) => signal('KILL', victim().pid), // the worker is what judges here
  },
  {
    tries: 'kills everybody that it may',
    command: () => 'trap "" TERM; kill -TERM -1; kill -KILL -1',
    bare: ({ victim }) => signal('KILL', victim().pid),
  },
  {
    tries: 'kills its parent, in every way',
    command: () =>
      'for s in 1 2 3 6 9 11 15 17 18 19 20 24 25 31 34 64; do kill -$s $PPID 1; done; echo alive',
    harm: ({ stdout }) => (String(stdout.bytes) === 'alive\n' ? undefined : 'it was ended'),
    bare: ({ victim }) => signal('KILL', victim().pid),
  },
  {
    tries: 'signals a process of the host by a descriptor',
    command: ({ victim }) =>
      perl(
        'my $p = call(pidfd_open => $ARGV[0], 0); my $r = call(pidfd_send_signal => $p, 9, 0, 0)',
        victim().pid,
      ),
  },
  {
    tries: 'has the kernel signal a process of the host when a file is ready',
    command: ({ victim }) =>
      perl(
        `pipe R, W; use Fcntl; fcntl R, F_SETOWN, $ARGV[0] + 0; fcntl R, 10, 9;
         fcntl R, F_SETFL, O_ASYNC; syswrite W, "x"; select undef, undef, undef, 0.1`,
        victim().pid,
      ),
  },
  {
    tries: 'traces a process of the host',
    command: ({ victim }) => tryCall('ptrace', 16, victim().pid, 0, 0),
  },
  {
    tries: 'seizes a process of the host',
    command: ({ victim }) => tryCall('ptrace', 0x4206, victim().pid, 0, 0),
  },
  {
    tries: 'writes to the memory of a process of the host',
    command: ({ victim }) =>
      perl(
        `my $b = "owned!"; my $l = pack "PJ", $b, 6; my $r = pack "JJ", $ARGV[1], 6;
         my $n = call(process_vm_writev => $ARGV[0], $l, 1, $r, 1, 0); broke "wrote $n" if $n > 0;
         open M, "+<", "/proc/$ARGV[0]/mem" and broke "its memory is open"`,
        victim().pid,
        victim().address,
      ),
  },
  {
    tries: 'compares itself with a process of the host',
    command: ({ victim }) => tryCall('kcmp', victim().pid, victim().pid, 0, 0, 0),
  },
  {
    tries: 'moves the memory of a process of the host',
    command: ({ victim }) => tryCall('move_pages', victim().pid, 0, 0, 0, 0, 0),
  },
  {
    tries: 'lowers the priority of a process of the host',
    command: ({ victim }) => perl('my $r = call(setpriority => 0, $ARGV[0], 19)', victim().pid),
  },
  {
    tries: 'lowers the priority of all processes of its user',
    command: () => perl('my $r = call(setpriority => 2, 0, 19); setpriority 2, $<, 19'),
  },
  {
    tries: 'lowers the limits of a process of the host',
    command: ({ victim }) =>
      perl(
        'my $l = pack "QQ", 3, 4096; my $r = call(prlimit64 => $ARGV[0], 7, $l, 0)',
        victim().pid,
      ),
  },
  {
    tries: 'binds a process of the host to one processor',
    command: ({ victim }) =>
      perl('my $m = pack "Q", 1; my $r = call(sched_setaffinity => $ARGV[0], 8, $m)', victim().pid),
  },
  {
    tries: 'takes the disk away from a process of the host',
    command: ({ victim }) =>
      perl(
        'my $r = call(ioprio_set => 1, $ARGV[0], 3 << 13); broke "idle" if $r == 0',
        victim().pid,
      ),
  },
  {
    tries: 'offers a process of the host to the memory killer',
    command: ({ victim, workerPid }) =>
      `for p in ${victim().pid} ${workerPid} 1 $PPID; do echo 900 > /proc/$p/oom_score_adj; done`,
    bare: ({ victim }) => `echo 900 > /proc/${victim().pid}/oom_score_adj`,
  },
  {
    tries: 'joins the namespaces of a process of the host',
    command: ({ victim }) => {
      const { pid } = victim();
      return `nsenter -t ${pid} -U --preserve-credentials true && echo ${BROKE} entered; ls /proc/${pid}/ns/ && echo ${BROKE} saw`;
    },
  },
  {
    tries: 'types into the terminal of another (TIOCSTI)',
    command: () => tryCall('ioctl', 0, 0x5412, 0),
  },
  {
    tries: 'pastes into a console of another (TIOCLINUX)',
    command: () => tryCall('ioctl', 0, 0x541c, 0),
  },
];
