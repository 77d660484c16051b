import { expect, it } from 'vitest';
import { text } from './sandbox-run.ts';
import { describeSandboxed } from './sandboxed.ts';
import { type SyscallName, syscallNumber } from './syscalls.ts';
import { tierTraits } from './tiers.ts';

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';

describeSandboxed('the system calls of a command', (run, tier) => {
  /** The errno of one call made by Perl, 0 when it succeeds. */
  async function errnoOf(call: number | null, ...args: number[]): Promise<number> {
    const numbers = [call ?? 0, ...args].join(', ');
    const outcome = await run(['perl', '-e', `print syscall(${numbers}) == -1 ? $! + 0 : 0`]);
    return Number(text(outcome));
  }

  it.each<[SyscallName, number, number[]]>([
    ['ptrace', EPERM, [0, 0, 0, 0]],
    ['unshare', EPERM, [0]],
    ['setns', EPERM, [0, 0]],
    ['keyctl', EPERM, [0, 0, 0]],
    ['bpf', EPERM, [0, 0, 0]],
    ['perf_event_open', EPERM, [0, 0, 0, 0, 0]],
    ['process_vm_readv', EPERM, [1, 0, 0, 0, 0, 0]],
    ['fsopen', EPERM, [0, 0]],
    ['clone', EPERM, [0x10000011, 0, 0, 0, 0]],
    ['personality', EPERM, [0x0040000]],
    ['personality', 0, [0xffffffff]],
    ['ioctl', EPERM, [0, 0x5412, 0]],
    ['ioctl', EPERM, [0, 0x541c, 0]],
    ['clone3', ENOSYS, [0, 0]],
    ['io_uring_setup', ENOSYS, [1, 0]],
    ['userfaultfd', ENOSYS, [0]],
    ['memfd_create', ENOSYS, [0, 0]],
    ['shmget', ENOSYS, [0, 4096, 0o1600]],
    ['socket', EAFNOSUPPORT, [2, 1, 0]],
    ['socket', EAFNOSUPPORT, [10, 1, 0]],
    ['socket', EAFNOSUPPORT, [16, 3, 0]],
    ['socket', EAFNOSUPPORT, [40, 1, 0]],
    ['socket', tierTraits[tier].hasUnixSockets ? 0 : EAFNOSUPPORT, [1, 1, 0]],
  ])('%s answers errno %i for %j', async (name, errno, args) => {
    expect(await errnoOf(syscallNumber(name, architecture), ...args)).toBe(errno);
  });

  it('are refused when nobody has reviewed them yet', async () => {
    expect(await errnoOf(467)).toBe(ENOSYS);
    expect(await errnoOf(5000)).toBe(ENOSYS);
  });

  it.runIf(architecture === 'x64')('kill it when they are of the x32 ABI', async () => {
    const outcome = await run(['perl', '-e', 'syscall(0x40000000 + 39)']);
    expect(outcome.ending).toEqual({ kind: 'signalled', signal: 'SIGSYS' });
  });
});
