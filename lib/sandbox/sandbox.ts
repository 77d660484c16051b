/** What to run: a shell text for `sh -c`, or an argument vector without a shell. */
export type Program =
  | { readonly kind: 'shell'; readonly command: string }
  | { readonly kind: 'argv'; readonly argv: readonly string[] };

/** A command to run in a sandbox. Its environment starts empty; `env` is added to it. */
export interface Command {
  readonly program: Program;
  readonly stdin: Uint8Array;
  readonly env: Readonly<Record<string, string>>;
  /** Whose command it is: where environments are used again, then for one tenant alone. */
  readonly tenant?: string;
}

/** What a command may use. Each limit is for the whole process tree unless it says otherwise. */
export interface Limits {
  readonly wallMs: number;
  /** CPU time of one process; a tree can use this much in each of its processes. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly processes: number;
  /** Size of one file. */
  readonly fileBytes: number;
  /** All writable places together. */
  readonly diskBytes: number;
  /** Open files of one process. */
  readonly openFiles: number;
  /** Kept bytes of each stream; what comes beyond is counted and dropped. */
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
}

/** How a command ended. What it does is data, never an error of ours. */
export type Ending =
  | { readonly kind: 'exited'; readonly exitCode: number }
  | { readonly kind: 'signalled'; readonly signal: NodeJS.Signals }
  | { readonly kind: 'timedOut'; readonly limitMs: number }
  | { readonly kind: 'outOfMemory'; readonly limitBytes: number }
  /** The caller's `AbortSignal` fired, and the whole tree was killed. */
  | { readonly kind: 'aborted' };

export interface CapturedOutput {
  /** The first bytes, up to the stream's limit. */
  readonly bytes: Buffer;
  /** All bytes that the command wrote, kept or not. */
  readonly totalBytes: number;
  readonly truncated: boolean;
}

export interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly maxRssBytes: number;
}

export interface Outcome {
  readonly ending: Ending;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
  /** What could not be measured in this tier is null. */
  readonly usage: { readonly [K in keyof Usage]: Usage[K] | null };
}

export interface OutputChunk {
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
}

/** The ways to isolate, strongest first. `none` isolates nothing and must be asked for by name. */
export const SANDBOX_TIERS = ['namespaces', 'landlock', 'runner', 'none'] as const;
export type SandboxTier = (typeof SANDBOX_TIERS)[number];

/** Runs commands that nobody trusts. One adapter for each way to isolate. */
export interface Sandbox {
  readonly tier: SandboxTier;
  /**
   * Runs one command to its end. Nothing of it is left when this settles, whatever way it ended.
   * `onOutput` sees each kept chunk as it comes, in order within its stream.
   * @throws SandboxError when the command could not be isolated or started by us.
   */
  run(
    command: Command,
    limits: Limits,
    onOutput: (chunk: OutputChunk) => void,
    signal: AbortSignal,
  ): Promise<Outcome>;
  /** Gives back what the sandbox holds between runs. Resolves when nothing is left. */
  close(): Promise<void>;
}

/** The sandbox itself failed: our trouble, not the command's. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError';
}
