import { Agent } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import {
  InvokeCommand,
  InvokeWithResponseStreamCommand,
  LambdaClient,
  type LambdaClientConfig,
} from '@aws-sdk/client-lambda';
import type { RunnerEndpoint } from './runner.ts';
import { SandboxError } from './sandbox.ts';

export interface RunnerSettings {
  /** Name or ARN of the runner function. */
  readonly functionName: string;
  readonly region: string;
  /** Of an emulator: a URL, or `unix:` and the path of a socket. Undefined on AWS. */
  readonly endpoint: string | undefined;
}

type Receive = (bytes: Buffer) => void;

/** A command waits so long for a runner when all are busy; then its message goes back to the queue. */
const THROTTLED_FOR_MS = 60_000;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5000;

/** Refusals after which nothing has run. https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html */
const THROTTLES = new Set([
  'TooManyRequestsException',
  'EC2ThrottledException',
  'ResourceNotReadyException',
]);

/** Lambda's Invoke API. An emulator answers in one piece, AWS as the function speaks. */
export function openRunnerEndpoint(settings: RunnerSettings): RunnerEndpoint {
  const { functionName, endpoint } = settings;
  const answer = endpoint === undefined ? 'streamed' : 'buffered';
  const client = new LambdaClient({ region: settings.region, maxAttempts: 1, ...at(endpoint) });
  const invokeOnce = answer === 'streamed' ? invokeStreamed : invokeBuffered;
  return {
    answer,
    async invoke(tenant, request, onBytes, signal) {
      const call = {
        FunctionName: functionName,
        TenantId: tenant,
        Payload: Buffer.from(JSON.stringify(request)),
      };
      const until = performance.now() + THROTTLED_FOR_MS;
      for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(2 * delayMs, LONGEST_DELAY_MS)) {
        try {
          return await invokeOnce(client, call, onBytes, signal);
        } catch (error) {
          if (!isThrottle(error) || performance.now() > until) throw asSandboxError(error);
          await delay(Math.random() * delayMs, undefined, { signal });
        }
      }
    },
    close: () => client.destroy(),
  };
}

interface Call {
  readonly FunctionName: string;
  readonly TenantId: string;
  readonly Payload: Buffer;
}

async function invokeStreamed(
  client: LambdaClient,
  call: Call,
  onBytes: Receive,
  signal: AbortSignal,
): Promise<void> {
  const { EventStream: events = [] } = await client.send(
    new InvokeWithResponseStreamCommand(call),
    {
      abortSignal: signal,
    },
  );
  for await (const { PayloadChunk: chunk, InvokeComplete: complete } of events) {
    if (chunk?.Payload) onBytes(Buffer.from(chunk.Payload));
    if (complete?.ErrorCode) throw failed(`${complete.ErrorCode} ${complete.ErrorDetails ?? ''}`);
  }
}

async function invokeBuffered(
  client: LambdaClient,
  call: Call,
  onBytes: Receive,
  signal: AbortSignal,
): Promise<void> {
  const { Payload: payload, FunctionError: error } = await client.send(new InvokeCommand(call), {
    abortSignal: signal,
  });
  const text = payload?.transformToString() ?? '';
  if (error) throw failed(text);
  onBytes(Buffer.from(JSON.parse(text) as string, 'base64'));
}

function failed(how: string): SandboxError {
  return new SandboxError(`The runner failed: ${how.slice(0, 500).trim()}`);
}

function isThrottle(error: unknown): boolean {
  return error instanceof Error && THROTTLES.has(error.name);
}

function asSandboxError(error: unknown): SandboxError {
  if (error instanceof SandboxError) return error;
  return new SandboxError('The runner could not be invoked', { cause: error });
}

function at(endpoint: string | undefined): LambdaClientConfig {
  if (endpoint === undefined) return {};
  if (!endpoint.startsWith('unix:')) return { endpoint };
  const socketPath = endpoint.slice('unix:'.length);
  return {
    endpoint: 'http://localhost',
    requestHandler: { httpAgent: new Agent({ socketPath } as object) },
  };
}
