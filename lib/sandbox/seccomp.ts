import {
  type Architecture,
  newestReviewedSyscall,
  type SyscallName,
  syscallNumber,
} from './syscalls.ts';

// linux/bpf_common.h: class | size or operation | source
const LOAD_WORD = 0x20;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_GREATER = 0x25;
const JUMP_IF_AT_LEAST = 0x35;
const JUMP_IF_ANY_BIT = 0x45;
const RETURN = 0x06;

// linux/seccomp.h; an errno goes into the low half
const KILL_PROCESS = 0x80000000;
const ERRNO = 0x00050000;
const ALLOW = 0x7fff0000;
const EPERM = ERRNO | 1;
const ENOSYS = ERRNO | 38;
const EAFNOSUPPORT = ERRNO | 97;

// struct seccomp_data: nr, arch, instruction pointer, then six arguments of 64 bits, the low word
// first on both of our architectures. Every argument looked at here is 32 bits wide in the kernel.
const CALL_NUMBER = 0;
const AUDIT_ARCHITECTURE = 4;
const FIRST_ARGUMENT = 16;
const SECOND_ARGUMENT = 24;

const auditArchitectures: Record<Architecture, number> = { x64: 0xc000003e, arm64: 0xc00000b7 };
const X32_CALLS = 0x40000000;

// linux/sched.h: NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
const NEW_NAMESPACES = 0x7e020000;
const AF_UNIX = 1;
const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;
const PERSONALITY_DEFAULT = 0;
const PERSONALITY_QUERY = 0xffffffff;

/** Refused as if for want of a right: a program that asks gets a clear "not permitted". */
const forbidden: readonly SyscallName[] = [
  // the shape of the file system and of the namespaces
  ...(['mount', 'umount2', 'pivot_root', 'chroot', 'mount_setattr', 'move_mount'] as const),
  ...(['open_tree', 'fsopen', 'fsconfig', 'fsmount', 'fspick', 'setns', 'unshare'] as const),
  ...(['name_to_handle_at', 'open_by_handle_at', 'fanotify_init', 'fanotify_mark'] as const),
  ...(['quotactl', 'quotactl_fd', 'swapon', 'swapoff', 'sysfs', '_sysctl', 'nfsservctl'] as const),
  // other processes, and the kernel's view of them
  ...(['ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp'] as const),
  ...(['pidfd_getfd', 'keyctl', 'add_key', 'request_key', 'bpf', 'perf_event_open'] as const),
  ...(['syslog', 'lookup_dcookie', 'acct', 'vhangup'] as const),
  // the machine
  ...(['reboot', 'sethostname', 'setdomainname', 'settimeofday', 'clock_settime'] as const),
  ...(['clock_adjtime', 'adjtimex', 'kexec_load', 'kexec_file_load', 'init_module'] as const),
  ...(['finit_module', 'delete_module', 'create_module', 'iopl', 'ioperm', 'modify_ldt'] as const),
  ...(['uselib', 'mbind', 'migrate_pages', 'move_pages', 'set_mempolicy'] as const),
  ...(['get_mempolicy', 'set_mempolicy_home_node'] as const),
];

/** Refused as if the kernel were older: programs have a fallback for these. */
const absent: readonly SyscallName[] = [
  'clone3', // its flags lie in memory, where a filter cannot look; libc falls back to clone
  ...(['io_uring_setup', 'io_uring_enter', 'io_uring_register', 'userfaultfd'] as const),
  ...(['listmount', 'statmount'] as const),
  // memory that belongs to no process and to no sized file system, so no limit would see it
  ...(['memfd_create', 'memfd_secret', 'shmget', 'msgget', 'semget', 'mq_open'] as const),
];

type Instruction = readonly [code: number, ifTrue: number, ifFalse: number, operand: number];

/**
 * The seccomp program of a sandboxed command, as the bytes of `struct sock_filter[]`.
 *
 * A deny-list: an allow-list breaks with each new libc, and namespaces, no capabilities and no
 * network already stand in front of it. Another architecture's calls kill the process, because the
 * numbers mean something else there. Calls newer than the tables are answered with ENOSYS.
 */
export function seccompProgram(architecture: Architecture): Buffer {
  const instructions = [
    ...onlyArchitecture(architecture),
    ...forbidden.flatMap((name) => refuse(name, architecture, [answer(EPERM)])),
    ...absent.flatMap((name) => refuse(name, architecture, [answer(ENOSYS)])),
    ...refuse('clone', architecture, [
      load(FIRST_ARGUMENT),
      [JUMP_IF_ANY_BIT, 0, 1, NEW_NAMESPACES],
      answer(EPERM),
      answer(ALLOW),
    ]),
    ...refuse('socket', architecture, unlessFirstArgumentIs([AF_UNIX], EAFNOSUPPORT)),
    ...refuse('socketpair', architecture, unlessFirstArgumentIs([AF_UNIX], EAFNOSUPPORT)),
    ...refuse(
      'personality',
      architecture,
      unlessFirstArgumentIs([PERSONALITY_DEFAULT, PERSONALITY_QUERY], EPERM),
    ),
    // Types into the terminal of whoever started the worker (CVE-2017-5226).
    ...refuse('ioctl', architecture, [
      load(SECOND_ARGUMENT),
      [JUMP_IF_EQUAL, 1, 0, TIOCSTI],
      [JUMP_IF_EQUAL, 0, 1, TIOCLINUX],
      answer(EPERM),
      answer(ALLOW),
    ]),
    answer(ALLOW),
  ] satisfies Instruction[];
  return encode(instructions);
}

/** Kills calls of another architecture, answers ENOSYS to calls nobody has reviewed. */
function onlyArchitecture(architecture: Architecture): Instruction[] {
  return [
    load(AUDIT_ARCHITECTURE),
    [JUMP_IF_EQUAL, 1, 0, auditArchitectures[architecture]],
    answer(KILL_PROCESS),
    load(CALL_NUMBER),
    [JUMP_IF_AT_LEAST, 0, 1, X32_CALLS],
    answer(KILL_PROCESS),
    [JUMP_IF_GREATER, 0, 1, newestReviewedSyscall],
    answer(ENOSYS),
  ];
}

/** Runs `then`, which must return, when the call is `name`; goes on otherwise. */
function refuse(
  name: SyscallName,
  architecture: Architecture,
  then: readonly Instruction[],
): Instruction[] {
  const number = syscallNumber(name, architecture);
  return number === null ? [] : [[JUMP_IF_EQUAL, 0, then.length, number], ...then];
}

function unlessFirstArgumentIs(allowed: readonly number[], refusal: number): Instruction[] {
  return [
    load(FIRST_ARGUMENT),
    ...allowed.map((value, index): Instruction => {
      return [JUMP_IF_EQUAL, allowed.length - index, 0, value];
    }),
    answer(refusal),
    answer(ALLOW),
  ];
}

function load(offset: number): Instruction {
  return [LOAD_WORD, 0, 0, offset];
}

function answer(action: number): Instruction {
  return [RETURN, 0, 0, action];
}

function encode(instructions: readonly Instruction[]): Buffer {
  const program = Buffer.alloc(instructions.length * 8);
  instructions.forEach(([code, ifTrue, ifFalse, operand], index) => {
    program.writeUInt16LE(code, index * 8);
    program.writeUInt8(ifTrue, index * 8 + 2);
    program.writeUInt8(ifFalse, index * 8 + 3);
    program.writeUInt32LE(operand, index * 8 + 4);
  });
  return program;
}
