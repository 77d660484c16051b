import { type Attack, perl } from './attack.ts';

/** Reads the writable memory of a process and prints it where it holds the secret. */
const readMemory = `open M, "<", "/proc/$ARGV[0]/maps" or exit; open D, "<", "/proc/$ARGV[0]/mem" or exit;
  while (<M>) {
    my ($from, $to) = /^(\\w+)-(\\w+) rw/ or next;
    ($from, $to) = (hex $from, hex $to);
    next if $to - $from > 64 << 20;
    sysseek D, $from, 0; sysread D, my $bytes, $to - $from;
    print $& if $bytes =~ /secret-of-[\\w-]+/;
  }`;

/** What the worker knows, and what others know. The secret must not come out. */
export const secrets: readonly Attack[] = [
  {
    tries: 'reads every environment that /proc shows',
    command: () => 'cat /proc/[0-9]*/environ',
  },
  {
    tries: 'reads the environment of its worker, by its number',
    command: ({ workerPid }) => `cat /proc/${workerPid}/environ /proc/${workerPid}/task/*/environ`,
  },
  {
    tries: 'reads the environments of all its ancestors',
    command: () =>
      'p=$PPID; while [ "$p" -gt 0 ]; do cat /proc/$p/environ; p=$(cut -d" " -f4 /proc/$p/stat || echo 0); done',
  },
  {
    tries: 'reads every command line',
    command: () => 'cat /proc/[0-9]*/cmdline',
  },
  {
    tries: 'reads command lines with ps',
    command: () => 'ps -efww; ps auxeww',
  },
  {
    tries: 'reads the memory of another process in /proc',
    command: ({ victim }) => perl(readMemory, victim().pid),
  },
  {
    tries: 'reads the memory of its worker in /proc',
    command: ({ workerPid }) => perl(readMemory, workerPid),
    bare: ({ victim }) => perl(readMemory, victim().pid), // a heap of Node's is long to search
  },
  {
    tries: 'reads the memory of its parent in /proc',
    command: () => perl(`@ARGV = getppid; ${readMemory}`),
    bare: ({ victim }) => perl(readMemory, victim().pid),
  },
  {
    tries: 'reads the memory of another process with process_vm_readv',
    command: ({ victim }) =>
      perl(
        `my $b = "." x 60; my $l = pack "PJ", $b, 60; my $r = pack "JJ", $ARGV[1], 60;
         $! = 0; my $n = call(process_vm_readv => $ARGV[0], $l, 1, $r, 1, 0); print $b`,
        victim().pid,
        victim().address,
      ),
  },
  {
    tries: 'traces another process and peeks at its memory',
    command: ({ victim }) =>
      perl(
        `call(ptrace => 16, $ARGV[0], 0, 0) == 0 or exit; waitpid $ARGV[0], 0;
         for (0 .. 7) { my $w = "." x 8; call(ptrace => 2, $ARGV[0], $ARGV[1] + 8 * $_, $w); print $w }`,
        victim().pid,
        victim().address,
      ),
  },
  {
    tries: 'reads the open files of another process in /proc',
    command: ({ victim }) => `cat /proc/${victim().pid}/fd/* /proc/[0-9]*/fd/3`,
    bare: ({ victim }) => `timeout 1 cat /proc/${victim().pid}/fd/3`,
  },
  {
    tries: 'takes a descriptor of another process with pidfd_getfd',
    command: ({ victim }) =>
      perl(
        `my $p = call(pidfd_open => $ARGV[0], 0); my $f = call(pidfd_getfd => $p, 3, 0);
         $f >= 0 and open F, "<&=", $f and seek F, 0, 0 and print <F>`,
        victim().pid,
      ),
  },
  {
    tries: 'reads files through the root and the folder of another process',
    command: ({ victim, canary }) => {
      const { pid } = victim();
      return `cat /proc/${pid}/root${canary} /proc/${pid}/cwd/canary /proc/*/cwd/canary`;
    },
  },
  {
    tries: 'reads files through the root of a thread of its worker',
    command: ({ workerPid, canary }) => `cat /proc/${workerPid}/task/${workerPid}/root${canary}`,
  },
  {
    tries: 'reads from descriptors that it has not opened',
    command: () =>
      perl('for (3 .. 63) { open my $f, "+<&=", $_ and broke "descriptor $_ is open" }'),
    bare: () => 'exec 5</etc/passwd; exec perl -e \'open F, "<&=", 5 and print "broke: 5"\'',
  },
  {
    tries: 'asks the kernel for keys of others',
    command: () =>
      perl(`for my $ring (-5, -4, -3, -2, -1) {
        my $r = call(keyctl => 0, $ring, 1); broke "keyring $ring is $r" if $r > 0 }`),
  },
  {
    tries: 'reads the log of the kernel, its memory, and where its code is',
    command: () =>
      'dmesg; head -qc 99 /dev/kmsg /proc/kcore /dev/mem /proc/slabinfo; grep -m1 -v ^0000000000000000 /proc/kallsyms',
    harm: ({ stdout }) => (stdout.totalBytes > 0 ? 'it read from the kernel' : undefined),
    bare: { notRun: 'only root of the host may' },
  },
  {
    tries: 'learns what the machine is from sysfs',
    command: () => 'cat /sys/class/net/*/mtu /sys/kernel/mm/*/enabled /sys/class/dmi/id/*',
    harm: ({ stdout }) => (stdout.totalBytes > 0 ? 'it read from sysfs' : undefined),
  },
  {
    tries: 'reads the mount table of the host',
    command: ({ workerPid }) =>
      `cat /proc/mounts /proc/self/mountinfo /proc/1/mountinfo /proc/${workerPid}/mounts`,
    harm: ({ stdout }) =>
      /sysfs|cgroup|devpts/.test(String(stdout.bytes)) ? 'it saw mounts' : undefined,
  },
  {
    tries: 'learns of its cgroup and of the memory of all',
    command: ({ workerPid }) =>
      `cat /sys/fs/cgroup/*/memory.usage_in_bytes /sys/fs/cgroup/cgroup.procs /proc/${workerPid}/cgroup`,
    harm: ({ stdout }) => (stdout.totalBytes > 0 ? 'it read of cgroups' : undefined),
  },
];
