import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { SQSEvent } from 'aws-lambda';
import { type LambdaAddress, lambdaEndpoint } from '../../dev/lambda-endpoint.ts';

/** Answers an invocation: a value becomes JSON, a `Raw` is sent as it is, an error is a failure. */
export type Answer = (event: SQSEvent, invocation: number) => unknown;

export class Raw {
  readonly payload: string;
  constructor(payload: string) {
    this.payload = payload;
  }
}

export interface LambdaServer {
  readonly address: LambdaAddress;
  /** Every event that was delivered, in order of arrival. */
  readonly events: SQSEvent[];
  /** The most invocations that were running at the same time. */
  readonly mostAtOnce: number;
  /** What the function does from now on. */
  answer: Answer;
  close(): Promise<void>;
}

/** A server that speaks the Invoke API for one function, as serverless-offline and AWS do. */
export async function startLambdaServer(): Promise<LambdaServer> {
  const events: SQSEvent[] = [];
  let running = 0;
  let mostAtOnce = 0;

  async function invoke(request: IncomingMessage, response: ServerResponse): Promise<void> {
    running += 1;
    mostAtOnce = Math.max(mostAtOnce, running);
    try {
      const event = JSON.parse(await text(request)) as SQSEvent;
      events.push(event);
      const answered = await lambda.answer(event, events.length);
      response.end(answered instanceof Raw ? answered.payload : JSON.stringify(answered));
    } catch (error) {
      response.setHeader('X-Amz-Function-Error', 'Unhandled');
      response.end(JSON.stringify({ errorType: 'Error', errorMessage: (error as Error).message }));
    } finally {
      running -= 1;
    }
  }

  const server = createServer((request, response) => {
    if (request.url === '/2015-03-31/functions/worker/invocations') void invoke(request, response);
    else response.writeHead(404).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  const lambda = {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    events,
    get mostAtOnce() {
      return mostAtOnce;
    },
    answer: (() => null) as Answer,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return lambda;
}

/** Invokes the server's function, as the plugin would. */
export function workerOf({ address }: LambdaServer, timeoutMs = 5000) {
  const endpoint = lambdaEndpoint(address);
  return (event: unknown) => endpoint.invoke('worker', event, timeoutMs);
}
