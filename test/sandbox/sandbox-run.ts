import type { Limits, Outcome, OutputChunk, Program, Sandbox } from '../../lib/sandbox/sandbox.ts';

const MiB = 1024 ** 2;

const limits: Limits = {
  wallMs: 20_000,
  cpuMs: 20_000,
  memoryBytes: 128 * MiB,
  processes: 32,
  fileBytes: 16 * MiB,
  diskBytes: 32 * MiB,
  openFiles: 64,
  stdoutBytes: 64 * 1024,
  stderrBytes: 64 * 1024,
};

interface RunOptions {
  readonly limits?: Partial<Limits>;
  readonly stdin?: Uint8Array;
  readonly env?: Record<string, string>;
  readonly onOutput?: (chunk: OutputChunk) => void;
  readonly signal?: AbortSignal;
}

/** How a test runs commands: as text for a shell, or as an argument vector. */
export type Run = (command: string | readonly string[], options?: RunOptions) => Promise<Outcome>;

export function runIn(sandbox: Sandbox): Run {
  return (command, options = {}) => {
    const program: Program =
      typeof command === 'string' ? { kind: 'shell', command } : { kind: 'argv', argv: command };
    return sandbox.run(
      { program, stdin: options.stdin ?? Buffer.alloc(0), env: options.env ?? {} },
      { ...limits, ...options.limits },
      options.onOutput ?? (() => {}),
      options.signal ?? new AbortController().signal,
    );
  };
}

export function text(outcome: Outcome): string {
  return outcome.stdout.bytes.toString();
}

export function errorText(outcome: Outcome): string {
  return outcome.stderr.bytes.toString();
}
