import { constants } from 'node:os';
import type { Command, Ending, Limits, Usage } from './sandbox.ts';
import { SandboxError } from './sandbox.ts';

const requestMagic = 0x31525245; // "ERR1"
const requestHeadBytes = 104;
const frameHeadBytes = 8;

/** How a command is ended after its wall time: SIGTERM, this long, then SIGKILL. */
const graceMs = 2_000;

/** The launcher's last word on a command. Times in milliseconds. */
interface Report {
  readonly cause: string;
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly wallMs: number;
  readonly userMs: number;
  readonly sysMs: number;
  readonly maxRssBytes: number;
  readonly stdout: { readonly kept: number; readonly total: number };
  readonly stderr: { readonly kept: number; readonly total: number };
  readonly error?: string;
}

export type Frame =
  | { readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly bytes: Buffer }
  | { readonly kind: 'report'; readonly report: Report };

/** The bytes of a request, less its stdin, which follows them. @throws SandboxError on a NUL. */
export function encodeRequest(command: Command, limits: Limits): Buffer {
  const argv =
    command.program.kind === 'shell'
      ? ['/bin/sh', '-c', command.program.command]
      : command.program.argv;
  const env = Object.entries(command.env).map(([name, value]) => `${name}=${value}`);
  const strings = [...argv, ...env];
  if (argv.length === 0) throw new SandboxError('A command needs a program to run');
  if (strings.some((text) => text.includes('\0'))) {
    throw new SandboxError('An argument or variable contains a NUL character');
  }
  const text = Buffer.from(`${strings.join('\0')}\0`);
  const head = Buffer.alloc(requestHeadBytes);
  head.writeUInt32LE(requestMagic, 0);
  head.writeUInt32LE(text.length, 4);
  const numbers = [
    command.stdin.byteLength,
    limits.wallMs,
    graceMs,
    limits.cpuMs,
    limits.memoryBytes,
    limits.processes,
    limits.fileBytes,
    limits.diskBytes,
    limits.openFiles,
    limits.stdoutBytes,
    limits.stderrBytes,
  ];
  numbers.forEach((number, index) => {
    head.writeBigUInt64LE(BigInt(Math.ceil(number)), 8 + index * 8);
  });
  head.writeUInt32LE(argv.length, 96);
  head.writeUInt32LE(env.length, 100);
  return Buffer.concat([head, text]);
}

/** Cuts the launcher's answer into frames, however the bytes arrive. */
export function makeFrameReader(onFrame: (frame: Frame) => void): (bytes: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (bytes) => {
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (rest.length >= frameHeadBytes) {
      const end = frameHeadBytes + rest.readUInt32LE(4);
      if (rest.length < end) return;
      onFrame(decodeFrame(String.fromCharCode(rest.readUInt8(0)), rest.subarray(8, end)));
      rest = rest.subarray(end);
    }
  };
}

function decodeFrame(type: string, body: Buffer): Frame {
  switch (type) {
    case 'o':
      return { kind: 'output', stream: 'stdout', bytes: body };
    case 'e':
      return { kind: 'output', stream: 'stderr', bytes: body };
    case 'r':
      return { kind: 'report', report: JSON.parse(body.toString()) as Report };
    default:
      throw new SandboxError(`The launcher sent a frame of unknown type ${JSON.stringify(type)}`);
  }
}

/** Backwards, so that the usual name of a number wins: SIGABRT is listed before SIGIOT. */
const signalNames = new Map<number, string>(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** @throws SandboxError when the launcher could not set the command up. */
export function endingOf(report: Report, limits: Limits): Ending {
  switch (report.cause) {
    case 'sandbox_error':
      throw new SandboxError(`The launcher could not start the command: ${report.error}`);
    case 'timed_out':
      return { kind: 'timedOut', limitMs: limits.wallMs };
    case 'out_of_memory':
      return { kind: 'outOfMemory', limitBytes: limits.memoryBytes };
    case 'aborted':
      return { kind: 'aborted' };
  }
  if (report.exitCode !== null) return { kind: 'exited', exitCode: report.exitCode };
  const signal = report.signal ?? constants.signals.SIGKILL;
  // Node has no names for real-time signals; nobody can act on them, but the record is true.
  const name = signalNames.get(signal) ?? `SIGRTMIN+${signal - 34}`;
  return { kind: 'signalled', signal: name as NodeJS.Signals };
}

export function usageOf(report: Report): Usage {
  return {
    wallMs: report.wallMs,
    cpuMs: report.userMs + report.sysMs,
    maxRssBytes: report.maxRssBytes,
  };
}
