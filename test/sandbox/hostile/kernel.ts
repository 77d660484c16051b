import { type Attack, perl, tryCall } from './attack.ts';

const hostRoot = (what: string) => ({ notRun: `only root of the host may ${what}` });
const NEW_USER = 0x10000000;

/** Parts of the kernel that a command has no use for, and ways to more rights. */
export const kernel: readonly Attack[] = [
  { tries: 'loads a program into the kernel (bpf)', command: () => tryCall('bpf', 99, 0, 0) },
  { tries: 'makes a key', command: () => tryCall('add_key', 'user', 'errand', 'x', 1, -3) },
  { tries: 'asks for a key', command: () => tryCall('keyctl', 0, -3, 1) },
  { tries: 'requests a key', command: () => tryCall('request_key', 'user', 'x', 0, -3) },
  { tries: 'handles page faults itself (userfaultfd)', command: () => tryCall('userfaultfd', 1) },
  {
    tries: 'goes around the filter of calls with io_uring',
    command: () =>
      perl('my $p = "\\0" x 120; my $r = call(io_uring_setup => 4, $p); broke "a ring" if $r >= 0'),
  },
  {
    tries: 'measures others (perf)',
    command: () => tryCall('perf_event_open', 0, -1, -1, -1, 0),
  },
  {
    tries: 'makes a user namespace',
    command: () => tryCall('unshare', NEW_USER),
  },
  {
    tries: 'makes a user namespace with clone',
    command: () =>
      perl(`my $r = call(clone => ${NEW_USER} | 17, 0, 0, 0, 0);
        $r == 0 and do { broke "inside"; kill 9, $$ }; waitpid $r, 0 if $r > 0`),
  },
  {
    tries: 'makes a process with clone3, whose flags no filter sees',
    command: () =>
      perl(`my $a = pack "Q11", ${NEW_USER}, 0, 0, 0, 17, 0, 0, 0, 0, 0, 0;
        my $r = call(clone3 => $a, 88); $r == 0 and kill 9, $$; broke "a child" if $r > 0`),
  },
  { tries: 'joins a namespace', command: () => tryCall('setns', 0, 0) },
  {
    tries: 'mounts a file system',
    command: ({ folder }) => tryCall('mount', 'none', `${folder}/closed`, 'tmpfs', 0, 0),
  },
  {
    tries: 'mounts with the newer calls',
    command: () => perl('my $t = "tmpfs"; my $r = call(fsopen => $t, 0); broke "fs" if $r >= 0'),
  },
  {
    tries: 'takes a mount with it (open_tree)',
    command: () =>
      perl('my $p = "/"; my $r = call(open_tree => -100, $p, 0x8001); broke "tree" if $r >= 0'),
  },
  { tries: 'unmounts what hides something', command: () => tryCall('umount2', '/nowhere', 2) },
  { tries: 'moves the root', command: () => tryCall('pivot_root', '/nowhere', '/nowhere') },
  { tries: 'changes its root', command: () => tryCall('chroot', '/nowhere') },
  {
    tries: 'becomes root',
    command: () => perl('my $r = call(setuid => 0); broke "root" if $r == 0 || $> == 0'),
  },
  {
    tries: 'becomes root through a program of its own with the setuid bit',
    command: () => 'cp /usr/bin/id i; chmod 6755 i; ./i; su -c id root </dev/null; sudo -n id',
    harm: ({ stdout }) => (/[ug]id=0\b/.test(String(stdout.bytes)) ? 'it was root' : undefined),
  },
  {
    tries: 'takes capabilities',
    command: () =>
      perl(`my $h = pack "LL", 0x20080522, 0; my $d = pack "L6", (~0 & 0xffffffff) x 2, 0, 0xff, 0xff, 0;
        my $r = call(capset => $h, $d); broke "capabilities" if $r == 0`),
    bare: () => 'unshare -r true && echo broke: has them',
  },
  {
    tries: 'makes a device',
    command: () =>
      perl(
        'my $p = "d"; my $r = call(mknodat => -100, $p, 020666, 0x0103); broke "null" if $r == 0',
      ),
    bare: hostRoot('make one'),
  },
  {
    tries: 'opens devices',
    command: () =>
      perl(`for (glob("/dev/* /dev/*/*"), map "/dev/$_", qw(ptmx tty kvm fuse kmsg mem vda sda loop0 net/tun rtc0 vsock)) {
        next if -d || m{/(null|zero|full|u?random|std\\w+|fd/\\d+)$} || m{^/dev/shm/};
        broke "opened $_" if sysopen my $f, $_, 0 or sysopen $f, $_, 1 }`),
  },
  {
    tries: 'turns switches of the kernel',
    command: () =>
      'for f in net/ipv4/ip_forward kernel/hostname kernel/core_pattern vm/overcommit_memory user/max_user_namespaces; do echo 1 > /proc/sys/$f; done',
  },
  {
    tries: 'sets the name of the machine',
    command: ({ mark }) => perl(`my $n = "$ARGV[0]"; my $r = call(sethostname => $n, 12)`, mark),
  },
  {
    tries: 'sets the clock',
    command: () =>
      perl('my $t = pack "QQ", 5, 0; my $r = call(clock_settime => 0, $t); broke "set" if $r == 0'),
    bare: hostRoot('set it'),
  },
  {
    tries: 'makes a cgroup, and leaves its own',
    command: ({ mark }) =>
      `for d in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $d/${mark} && echo broke: $d; echo 0 > $d/cgroup.procs && echo broke: left; done`,
    bare: hostRoot('write to them'),
  },
  {
    tries: 'starts or stops the machine',
    command: () => tryCall('reboot', 0, 0, 0, 0),
    bare: { notRun: 'it would end the process namespace that judges' },
  },
  {
    tries: 'loads a kernel or a module',
    command: () => tryCall('init_module', 0, 0, ''),
    bare: hostRoot('load one'),
  },
  {
    tries: 'makes its memory executable in old ways',
    command: () => tryCall('personality', 0x0400000),
  },
  {
    tries: 'makes System V shared memory, semaphores and messages',
    command: ({ ipcKey }) =>
      perl(
        'my $r = call(shmget => $ARGV[0], 4096, 01666); $r = call(semget => $ARGV[0], 1, 01666); $r = call(msgget => $ARGV[0], 01666)',
        ipcKey,
      ),
  },
  {
    tries: 'makes a message queue that outlives it',
    command: ({ mark }) =>
      perl(
        'my $n = $ARGV[0]; my $r = call(mq_open => $n, 0102, 0666, 0); broke "a queue" if $r >= 0',
        mark,
      ),
  },
  {
    tries: 'makes memory that is no file and no limit sees (memfd)',
    command: () =>
      perl('my $n = "m"; my $r = call(memfd_create => $n, 0); broke "memory" if $r >= 0'),
  },
  {
    tries: 'locks memory',
    command: () =>
      perl('my $x = "a" x (8 << 20); my $r = call(mlockall => 1); broke "locked" if $r == 0'),
    bare: { notRun: 'the usual limit of a host is as low' },
  },
];
