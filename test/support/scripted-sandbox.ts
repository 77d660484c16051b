import type {
  CapturedOutput,
  Command,
  Ending,
  Outcome,
  OutputChunk,
  Sandbox,
} from '../../lib/sandbox/sandbox.ts';

/** A sandbox that starts nothing: a test holds each command open and ends it as it needs. */
export interface ScriptedSandbox extends Sandbox {
  /** The commands that were started, in order. */
  readonly started: readonly StartedCommand[];
  /** Resolves when the next command starts. */
  nextStart(): Promise<StartedCommand>;
}

export interface StartedCommand {
  readonly command: Command;
  readonly signal: AbortSignal;
  /** Writes while it runs. */
  write(stream: OutputChunk['stream'], text: string): void;
  end(ending: Ending, output?: { stdout?: string; stderr?: string }): void;
  fail(error: Error): void;
}

export function scriptedSandbox(): ScriptedSandbox {
  const started: StartedCommand[] = [];
  let waiting = Promise.withResolvers<StartedCommand>();
  return {
    tier: 'none',
    started,
    nextStart: () => waiting.promise,
    async run(command, _limits, onOutput, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
      const written = { stdout: '', stderr: '' };
      const run: StartedCommand = {
        command,
        signal,
        write(stream, text) {
          written[stream] += text;
          onOutput({ stream, bytes: Buffer.from(text) });
        },
        end(ending, { stdout = '', stderr = '' } = {}) {
          if (stdout) run.write('stdout', stdout);
          if (stderr) run.write('stderr', stderr);
          resolve(outcomeOf(ending, written));
        },
        fail: reject,
      };
      if (signal.aborted) run.end({ kind: 'aborted' });
      signal.addEventListener('abort', () => run.end({ kind: 'aborted' }));
      started.push(run);
      waiting.resolve(run);
      waiting = Promise.withResolvers();
      return promise;
    },
    async close() {},
  };
}

function outcomeOf(
  ending: Ending,
  { stdout, stderr }: Record<OutputChunk['stream'], string>,
): Outcome {
  return {
    ending,
    stdout: captured(stdout),
    stderr: captured(stderr),
    usage: { wallMs: 12, cpuMs: 3, maxRssBytes: 4096 },
  };
}

function captured(text: string): CapturedOutput {
  const bytes = Buffer.from(text);
  return { bytes, totalBytes: bytes.length, truncated: false };
}
