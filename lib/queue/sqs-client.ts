import { setTimeout as delay } from 'node:timers/promises';
import { makeAwsClient } from '../aws-client.ts';

/** Calls SQS: the action's name, and its parameters. @throws Error */
export type CallSqs = <Answer = unknown>(action: string, parameters: object) => Promise<Answer>;

export interface SqsEndpoint {
  readonly region: string;
  /** Of an emulator; undefined on AWS. */
  readonly endpoint: string | undefined;
}

const ATTEMPTS = 2;
/** Two attempts end before the relay may take over what the request was to publish (outbox.ts). */
const ATTEMPT_MS = 2000;
const PAUSE_MS = 50;

/**
 * SQS by its JSON protocol. Its SDK client would be 40 % of each function that sends a message, and
 * as much of the time that it takes to start.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
 */
export function makeCallSqs(
  { region, endpoint = `https://sqs.${region}.amazonaws.com` }: SqsEndpoint,
  env: Readonly<Record<string, string | undefined>>,
): CallSqs {
  async function attempt(action: string, body: string): Promise<Response> {
    try {
      const client = makeAwsClient(env, 'sqs', region, 0);
      return await client.fetch(endpoint, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-amz-json-1.0',
          'x-amz-target': `AmazonSQS.${action}`,
        },
        body,
        signal: AbortSignal.timeout(ATTEMPT_MS),
      });
    } catch (error) {
      // Fetch says no more than that it failed; what happened is its cause.
      throw error instanceof TypeError && error.cause ? error.cause : error;
    }
  }

  return async <Answer>(action: string, parameters: object) => {
    const body = JSON.stringify(parameters);
    for (let left = ATTEMPTS - 1; ; left -= 1) {
      const answer = await attempt(action, body).catch((error: unknown) => {
        if (left === 0) throw error;
      });
      if (answer?.ok) return (await answer.json()) as Answer;
      if (answer && (left === 0 || !isPassing(answer))) {
        throw new Error(`SQS answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
      }
      await delay(Math.random() * PAUSE_MS);
    }
  };
}

/** SQS is overloaded, or we are too fast. */
function isPassing({ status, headers }: Response): boolean {
  return status >= 500 || status === 429 || /Thrott/.test(headers.get('x-amzn-query-error') ?? '');
}
