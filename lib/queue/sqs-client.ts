import { callAws, makeAwsClient } from '../aws-client.ts';

/** Calls SQS: the action's name, and its parameters. @throws Error */
export type CallSqs = <Answer = unknown>(action: string, parameters: object) => Promise<Answer>;

export interface SqsEndpoint {
  readonly region: string;
  readonly endpoint: string;
}

/** Two attempts end before the relay may take over what the request was to publish (outbox.ts). */
const PATIENCE = { attempts: 2, attemptMs: 2000 };

/**
 * SQS by its JSON protocol. Its SDK client would be 40 % of each function that sends a message, and
 * as much of the time that it takes to start.
 * https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
 */
export function makeCallSqs(
  { region, endpoint }: SqsEndpoint,
  env: Readonly<Record<string, string | undefined>>,
): CallSqs {
  const client = () => makeAwsClient(env, 'sqs', region);

  return async <Answer>(action: string, parameters: object) => {
    const request = {
      url: endpoint,
      method: 'POST',
      headers: {
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AmazonSQS.${action}`,
      },
      body: JSON.stringify(parameters),
    } as const;
    const answer = await callAws(client, request, PATIENCE);
    if (answer.ok) return (await answer.json()) as Answer;
    throw new Error(`SQS answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
  };
}
