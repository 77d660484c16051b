import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EventStreamCodec } from '@smithy/core/event-streams';
import type { Environment } from './environment.ts';

export interface LambdaService {
  /** For `AWS_ENDPOINT_URL_LAMBDA`. */
  readonly url: string;
  /** The next calls are answered like this, before any reaches the function. */
  throttle(calls: number): void;
  /** Tenants of the calls so far. */
  readonly tenants: readonly string[];
  close(): Promise<void>;
}

const codec = new EventStreamCodec(
  (bytes) => (typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()),
  (text) => Buffer.from(text),
);

/**
 * Lambda's InvokeWithResponseStream, in front of an environment that a test has started.
 * https://docs.aws.amazon.com/lambda/latest/api/API_InvokeWithResponseStream.html
 */
export async function serveLambda(environment: () => Environment): Promise<LambdaService> {
  const tenants: string[] = [];
  let throttled = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    if (throttled > 0) {
      throttled -= 1;
      response.writeHead(429, { 'x-amzn-errortype': 'TooManyRequestsException' });
      response.end('{"Type":"User","message":"Rate Exceeded."}');
      return;
    }
    const tenant = String(request.headers['x-amz-tenant-id']);
    tenants.push(tenant);
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' });
    response.flushHeaders();
    const event = JSON.parse(Buffer.concat(chunks).toString());
    const onBytes = (bytes: Buffer) => send(response, 'PayloadChunk', bytes);
    const outcome = await environment()
      .invoke(event, { timeoutMs: 900_000, tenant, onBytes })
      .catch((error: Error) => ({
        error: { errorType: 'Runtime.ExitError', errorMessage: error.message },
      }));
    const failure = outcome.error && {
      ErrorCode: outcome.error.errorType,
      ErrorDetails: outcome.error.errorMessage,
    };
    send(response, 'InvokeComplete', Buffer.from(JSON.stringify(failure ?? {})));
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    throttle(calls) {
      throttled = calls;
    },
    tenants,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function send(response: ServerResponse, type: string, body: Buffer): void {
  const text = (value: string) => ({ type: 'string' as const, value });
  const contentType = type === 'PayloadChunk' ? 'application/octet-stream' : 'application/json';
  response.write(
    codec.encode({
      headers: {
        ':message-type': text('event'),
        ':event-type': text(type),
        ':content-type': text(contentType),
      },
      body,
    }),
  );
}
