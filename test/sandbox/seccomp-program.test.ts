import { describe, expect, it } from 'vitest';
import { seccompProgram } from '../../lib/sandbox/seccomp.ts';

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;
const errno = (number: number) => 0x00050000 + number;

const X64 = 0xc000003e;
const ARM64 = 0xc00000b7;
const I386 = 0x40000003;

/** Runs a program as the kernel's BPF machine does, for the instructions that seccomp uses. */
function answerOf(program: Buffer, arch: number, nr: number, args: readonly number[] = []): number {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(nr, 0);
  data.writeUInt32LE(arch, 4);
  args.forEach((value, index) => {
    data.writeUInt32LE(value, 16 + index * 8);
  });
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const operand = program.readUInt32LE(at + 4);
    const code = program.readUInt16LE(at);
    if (code === 0x06) return operand;
    if (code === 0x20) {
      accumulator = data.readUInt32LE(operand);
      continue;
    }
    const holds = {
      21: accumulator === operand,
      37: accumulator > operand,
      53: accumulator >= operand,
      69: (accumulator & operand) !== 0,
    }[code];
    if (holds === undefined) throw new Error(`unknown instruction ${code}`);
    at += 8 * program.readUInt8(at + (holds ? 2 : 3));
  }
  throw new Error('the program does not end');
}

describe('seccompProgram', () => {
  it.each([
    ['x64', X64, { mount: 165, clone: 56, socket: 41, write: 1, futex: 202, ioctl: 16 }],
    ['arm64', ARM64, { mount: 40, clone: 220, socket: 198, write: 64, futex: 98, ioctl: 29 }],
  ] as const)('decides by the numbers of %s', (architecture, arch, calls) => {
    const program = seccompProgram(architecture);
    const answer = (nr: number, ...args: number[]) => answerOf(program, arch, nr, args);
    expect(answer(calls.mount)).toBe(errno(1));
    expect(answer(calls.write)).toBe(ALLOW);
    expect(answer(calls.futex)).toBe(ALLOW);
    expect(answer(calls.clone, 0x11)).toBe(ALLOW);
    expect(answer(calls.clone, 0x003d0f00)).toBe(ALLOW); // as pthread_create
    for (const flag of [
      0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
    ]) {
      expect(answer(calls.clone, flag | 0x11)).toBe(errno(1));
    }
    expect(answer(calls.socket, 1)).toBe(ALLOW);
    expect(answer(calls.socket, 2)).toBe(errno(97));
    expect(answer(calls.ioctl, 0, 0x5412)).toBe(errno(1));
    expect(answer(calls.ioctl, 0, 0x541c)).toBe(errno(1));
    expect(answer(calls.ioctl, 0, 0x5401)).toBe(ALLOW);
    expect(answer(435)).toBe(errno(38)); // clone3
    expect(answer(466)).toBe(ALLOW);
    expect(answer(467)).toBe(errno(38));
  });

  it('kills calls of another architecture and of x32', () => {
    expect(answerOf(seccompProgram('x64'), I386, 1)).toBe(KILL);
    expect(answerOf(seccompProgram('x64'), X64, 0x40000001)).toBe(KILL);
    expect(answerOf(seccompProgram('arm64'), X64, 1)).toBe(KILL);
  });

  it('fits into the 4096 instructions of the kernel', () => {
    expect(seccompProgram('x64').length / 8).toBeLessThan(4096);
  });
});
