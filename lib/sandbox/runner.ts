import { randomBytes } from 'node:crypto';
import { Duplex } from 'node:stream';
import { converse } from './launcher.ts';
import { encodeRequest } from './launcher-protocol.ts';
import { type Farewell, makeUnsealer, type RunnerRequest } from './runner-protocol.ts';
import { type Command, type Limits, type Sandbox, SandboxError } from './sandbox.ts';

/** Invokes the runner function with a request and hands over its answer as it comes. */
export interface RunnerEndpoint {
  readonly answer: RunnerRequest['answer'];
  /**
   * Resolves when the answer is whole.
   * @throws SandboxError when the function could not be invoked, failed, or `signal` fired
   */
  invoke(
    tenant: string,
    request: RunnerRequest,
    onBytes: (bytes: Buffer) => void,
    signal: AbortSignal,
  ): Promise<void>;
  close(): void;
}

/** Tells a runner that its command was cancelled: it has no ear but this. */
export interface Cancellations {
  open(): Promise<{ readonly url: string; cancel(): Promise<void> }>;
}

export interface RunnerDeps {
  readonly endpoint: RunnerEndpoint;
  readonly cancellations: Cancellations;
  /** Hears what a command left in its runner, which ends its environment then. */
  readonly onSuspicion: (suspicious: readonly string[]) => void;
}

/** Lambda wants one for each invocation of a function that isolates tenants. */
const NO_TENANT = 'default';

/** What a runner has, after its report, to sweep and say so. */
const FAREWELL_MS = 10_000;

/**
 * Runs commands in a Lambda function that has no rights and no secrets, one environment for each
 * tenant. There the native launcher sets what the microVM allows.
 */
export function makeRunnerSandbox(deps: RunnerDeps): Sandbox {
  return {
    tier: 'runner',
    async run(command, limits, onOutput, signal) {
      const runner = callRunner(deps, command, limits);
      try {
        const outcome = await converse(runner.connection, { command, limits, onOutput, signal });
        // Only now is nothing of the command left there.
        const suspicious = await runner.farewell(FAREWELL_MS);
        if (suspicious.length > 0) deps.onSuspicion(suspicious);
        return outcome;
      } finally {
        runner.hangUp();
      }
    },
    async close() {
      deps.endpoint.close();
    },
  };
}

interface RunnerCall {
  /** As to a launcher: half-closing it cancels the command. */
  readonly connection: Duplex;
  /** What the runner found suspicious: all, when it has not said so in time. */
  farewell(patienceMs: number): Promise<readonly string[]>;
  hangUp(): void;
}

function callRunner(deps: RunnerDeps, command: Command, limits: Limits): RunnerCall {
  const key = randomBytes(32);
  const cancellation = deps.cancellations.open();
  const hungUp = new AbortController();
  const farewell = Promise.withResolvers<readonly string[]>();
  const connection = new Duplex({
    read() {},
    // The request travels whole in the invocation.
    write: (_bytes, _encoding, done) => done(),
    final: (done) => {
      cancellation.then(({ cancel }) => cancel()).then(() => done(), done);
    },
  });

  const unseal = makeUnsealer(key, (kind, body) => {
    if (kind === 'bytes') connection.push(body);
    if (kind === 'trouble') throw new SandboxError(`The runner refused the command: ${body}`);
    if (kind === 'farewell') farewell.resolve((JSON.parse(body.toString()) as Farewell).suspicious);
  });
  const invocation = async () => {
    const request: RunnerRequest = {
      request: Buffer.concat([encodeRequest(command, limits), command.stdin]).toString('base64'),
      wallMs: limits.wallMs,
      memoryBytes: limits.memoryBytes,
      key: key.toString('base64'),
      answer: deps.endpoint.answer,
      cancelUrl: (await cancellation).url,
    };
    await deps.endpoint.invoke(command.tenant ?? NO_TENANT, request, unseal, hungUp.signal);
  };
  invocation()
    .then(
      () => connection.push(null),
      (error: unknown) => connection.destroy(error instanceof Error ? error : undefined),
    )
    .finally(() => farewell.resolve(['it ended without a farewell']));
  return {
    connection,
    async farewell(patienceMs) {
      const timer = setTimeout(
        () => farewell.resolve(['it was late with its farewell']),
        patienceMs,
      );
      return farewell.promise.finally(() => clearTimeout(timer));
    },
    hangUp: () => hungUp.abort(),
  };
}
