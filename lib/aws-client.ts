import { setTimeout as delay } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Signs requests with the credentials of the environment, as Lambda puts them there: for services of
 * which a call or two is wanted, because their SDK clients are as large as all the rest of a function.
 * Made for each use, because credentials change. @throws Error that names what is not set
 */
export function makeAwsClient(env: Env, service: string, region: string): AwsClient {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (!accessKeyId || !secretAccessKey) {
    throw new Error('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set; emulators take any');
  }
  const { AWS_SESSION_TOKEN: sessionToken } = env;
  return new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    service,
    region,
  });
}

export interface AwsRequest {
  readonly url: string;
  readonly method: 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Patience {
  readonly attempts: number;
  /** For one of them. */
  readonly attemptMs: number;
}

/** Between two attempts, at most. */
const PAUSE_MS = 50;

/**
 * Sends a request, again while the service does not answer or says that this will pass, and resolves
 * with the last answer. @throws Error that says why there was none
 */
export async function callAws(
  makeClient: () => AwsClient,
  request: AwsRequest,
  { attempts, attemptMs }: Patience,
): Promise<Response> {
  for (let left = attempts - 1; ; left -= 1) {
    const answer = await send(makeClient(), request, attemptMs).catch((error: unknown) => {
      if (left === 0) throw error;
    });
    if (answer && (left === 0 || !isPassing(answer))) return answer;
    await answer?.body?.cancel();
    await delay(Math.random() * PAUSE_MS);
  }
}

async function send(client: AwsClient, { url, ...init }: AwsRequest, withinMs: number) {
  const { headers } = await client.sign(url, init);
  try {
    // Not the Request that was signed: a signal that it had would not outlive it, and it is garbage
    // as soon as the call is on its way.
    return await fetch(url, { ...init, headers, signal: AbortSignal.timeout(withinMs) });
  } catch (error) {
    // Fetch says no more than that it failed; what happened is its cause.
    throw error instanceof TypeError && error.cause ? error.cause : error;
  }
}

/** The service is overloaded, or we are too fast. */
function isPassing({ status, headers }: Response): boolean {
  return status >= 500 || status === 429 || /Thrott/.test(headers.get('x-amzn-query-error') ?? '');
}
