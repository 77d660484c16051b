import middy from '@middy/core';
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
} from 'aws-lambda';
import type { Logger } from '../observability/logger.ts';
import { answerHeaders } from './answer-headers.ts';
import { inviteOrigins } from './cors.ts';
import { refuseForeignCallers } from './foreign-callers.ts';
import { HttpProblem } from './problem.ts';
import { problemDetails } from './problem-details.ts';
import { type AccessLevel, recordRequest } from './request-record.ts';
import { securityHeaders } from './security-headers.ts';

type Handle<Services> = (
  event: APIGatewayProxyEventV2,
  services: Services,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

/** What a function needs to answer requests at all, whatever it does. */
export interface Edge {
  readonly logger: Logger;
  readonly accessLevel: AccessLevel;
  /** Names under which this API may be asked for; none at all: any. */
  readonly allowedHosts: readonly string[];
  /** Whose pages may use it, besides its own. */
  readonly corsOrigins: readonly string[];
}

/** Kept of the function's time, so that a caller gets an answer instead of a bare time-out. */
const ANSWER_MARGIN_MS = 500;

/**
 * The stack around every HTTP function: opens the services, turns every error into problem details
 * and sets the headers that all answers share. A handler parses, calls one use case and answers.
 */
export function httpHandler<Services>(
  edge: Edge & { open: () => Services | Promise<Services> },
  handle: Handle<Services>,
) {
  const { open, logger } = edge;
  // `after` and `onError` run in reverse order: what is used first has the last word.
  const serve = middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, Context>({
    timeoutEarlyInMillis: ANSWER_MARGIN_MS,
    timeoutEarlyResponse: () => {
      throw new HttpProblem('unavailable', 'The answer took too long. Try again shortly.', {
        headers: { 'retry-after': '1' },
      });
    },
  })
    .use(securityHeaders())
    .use(inviteOrigins(edge.corsOrigins))
    .use(answerHeaders())
    .use(problemDetails(logger))
    .use(refuseForeignCallers(edge))
    .handler(async (event, context) => handle(event, await open(), context));

  return (event: APIGatewayProxyEventV2, context: Context) =>
    recordRequest(edge, event, context, () => serve(event, context));
}
