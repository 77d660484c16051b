import { Agent, request } from 'node:http';

/** Where functions are invoked: a unix socket, or a port on this machine. */
export type LambdaAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

/** What a function answered. `failed` when it threw, as AWS marks it. */
export interface Invocation {
  readonly payload: string;
  readonly failed: boolean;
}

/** Invokes a function and waits for its answer. Rejects when it could not be invoked at all. */
export type Invoke = (
  functionName: string,
  event: unknown,
  timeoutMs: number,
) => Promise<Invocation>;

/**
 * Speaks the Invoke API over kept-alive connections.
 * https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
 */
export function lambdaEndpoint(address: LambdaAddress): { invoke: Invoke; close(): void } {
  const agent = new Agent({ keepAlive: true });
  return {
    invoke: (functionName, event, timeoutMs) =>
      post(agent, address, functionName, JSON.stringify(event), timeoutMs),
    close: () => agent.destroy(),
  };
}

function post(
  agent: Agent,
  address: LambdaAddress,
  functionName: string,
  body: string,
  timeoutMs: number,
): Promise<Invocation> {
  const invocation = Promise.withResolvers<Invocation>();

  const call = request({
    ...address,
    agent,
    method: 'POST',
    path: `/2015-03-31/functions/${encodeURIComponent(functionName)}/invocations`,
    headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
  });
  const timer = setTimeout(
    () => call.destroy(new Error(`${functionName} timed out after ${timeoutMs / 1000} s`)),
    timeoutMs,
  );
  call.once('close', () => clearTimeout(timer));

  call.once('error', (error: NodeJS.ErrnoException) => {
    // The server closed an idle connection just as we took it: the function has not been called.
    if (call.reusedSocket && error.code === 'ECONNRESET') {
      invocation.resolve(post(agent, address, functionName, body, timeoutMs));
    } else {
      invocation.reject(error);
    }
  });

  call.once('response', (response) => {
    let payload = '';
    response.setEncoding('utf8');
    response.on('data', (text: string) => {
      payload += text;
    });
    response.once('error', invocation.reject);
    response.once('end', () => {
      if (response.statusCode !== 200) {
        invocation.reject(
          new Error(`invoking ${functionName} answered ${response.statusCode}: ${payload}`),
        );
        return;
      }
      invocation.resolve({
        payload,
        failed: response.headers['x-amz-function-error'] !== undefined,
      });
    });
  });

  call.end(body);
  return invocation.promise;
}

/** A failed invocation in one line: AWS and serverless-offline answer the error as an object. */
export function describeFailure(payload: string): string {
  try {
    const { errorType, errorMessage } = JSON.parse(payload) as Record<string, unknown>;
    if (typeof errorMessage === 'string') return `${errorType ?? 'Error'}: ${errorMessage}`;
  } catch {
    // Not JSON: shown as it is.
  }
  return payload.slice(0, 500);
}
