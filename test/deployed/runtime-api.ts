import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a function answered, or that it failed, in Lambda's words. */
export interface Answered {
  readonly body: Buffer;
  /** Of a failure: the error object that the runtime posted, or a trailer told. */
  readonly error?: { readonly errorType?: string; readonly errorMessage?: string };
}

interface Invocation {
  readonly id: string;
  readonly event: unknown;
  readonly timeoutMs: number;
  readonly tenant: string | undefined;
  readonly onBytes: (bytes: Buffer) => void;
  readonly answered: PromiseWithResolvers<Answered>;
}

export interface RuntimeApi {
  /** Host and port, as in `AWS_LAMBDA_RUNTIME_API`. */
  readonly address: string;
  /** Resolves when the runtime asks for the first event: its initialisation is over. */
  readonly initialised: Promise<void>;
  /** Hands an event to the runtime. Rejects when `lost` is called meanwhile. */
  invoke(
    event: unknown,
    options?: { timeoutMs?: number; tenant?: string; onBytes?: (bytes: Buffer) => void },
  ): Promise<Answered>;
  /** The runtime has ended: whoever waits for it hears the reason. */
  lost(reason: Error): void;
  close(): Promise<void>;
}

const ARN = 'arn:aws:lambda:us-east-1:123456789012:function:errand-test';

/** https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html, for one environment. */
export async function serveRuntimeApi(): Promise<RuntimeApi> {
  const waiting: Invocation[] = [];
  const running = new Map<string, Invocation>();
  let next: ServerResponse | undefined;
  let loss: Error | undefined;
  const initialised = Promise.withResolvers<void>();
  initialised.promise.catch(() => {});

  function dispatch(): void {
    const invocation = next && waiting.shift();
    if (!next || !invocation) return;
    running.set(invocation.id, invocation);
    next.writeHead(200, {
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': invocation.id,
      'lambda-runtime-deadline-ms': String(Date.now() + invocation.timeoutMs),
      'lambda-runtime-invoked-function-arn': ARN,
      ...(invocation.tenant && { 'lambda-runtime-aws-tenant-id': invocation.tenant }),
    });
    next.end(JSON.stringify(invocation.event));
    next = undefined;
  }

  const server = createServer(async (request, response) => {
    const [, , , kind, id = '', what] = (request.url ?? '').split('/');
    if (kind === 'invocation' && id === 'next') {
      next = response;
      initialised.resolve();
      dispatch();
      return;
    }
    if (kind === 'init') {
      initialised.reject(new Error(`the function did not start: ${await textOf(request)}`));
      response.writeHead(202).end('{}');
      return;
    }
    const invocation = running.get(id);
    if (invocation === undefined) {
      response.writeHead(400).end('{"errorType":"InvalidRequestID"}');
      return;
    }
    running.delete(id);
    const body = await bytesOf(request, what === 'response' ? invocation.onBytes : () => {});
    response.writeHead(202).end('{}');
    const error = what === 'error' ? JSON.parse(body.toString()) : trailerError(request);
    invocation.answered.resolve({ body, ...(error && { error }) });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    initialised: initialised.promise,
    invoke(event, { timeoutMs = 30_000, tenant, onBytes = () => {} } = {}) {
      const answered = Promise.withResolvers<Answered>();
      if (loss) return Promise.reject(loss);
      waiting.push({ id: randomUUID(), event, timeoutMs, tenant, onBytes, answered });
      dispatch();
      return answered.promise;
    },
    lost(reason) {
      loss = reason;
      initialised.reject(reason);
      for (const { answered } of [...waiting, ...running.values()]) answered.reject(reason);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function bytesOf(request: IncomingMessage, onBytes: (bytes: Buffer) => void) {
  const chunks: Buffer[] = [];
  for await (const chunk of request) {
    onBytes(chunk as Buffer);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks);
}

async function textOf(request: IncomingMessage): Promise<string> {
  return (await bytesOf(request, () => {})).toString();
}

/** A stream that fails half-way says so after its body. */
function trailerError({ trailers }: IncomingMessage): Answered['error'] | undefined {
  const body = trailers['lambda-runtime-function-error-body'];
  return body === undefined ? undefined : JSON.parse(Buffer.from(body, 'base64').toString());
}
