import middy from '@middy/core';
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
} from 'aws-lambda';
import { inLogContext } from '../observability/log-context.ts';
import type { Logger } from '../observability/logger.ts';
import { answerHeaders } from './answer-headers.ts';
import { inviteOrigins } from './cors.ts';
import { refuseForeignCallers } from './foreign-callers.ts';
import { HttpProblem } from './problem.ts';
import { problemDetails } from './problem-details.ts';
import { requestIdOf } from './request-id.ts';
import { requestMetrics } from './request-metrics.ts';
import { securityHeaders } from './security-headers.ts';

type Handle<Services> = (
  event: APIGatewayProxyEventV2,
  services: Services,
  context: Context,
) => Promise<APIGatewayProxyStructuredResultV2>;

/** What a function needs to answer requests at all, whatever it does. */
export interface Edge {
  readonly logger: Logger;
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
  { open, logger, ...callers }: Edge & { open: () => Services | Promise<Services> },
  handle: Handle<Services>,
) {
  // `after` and `onError` run in reverse order: what is used first has the last word.
  return middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Error, Context>({
    timeoutEarlyInMillis: ANSWER_MARGIN_MS,
    timeoutEarlyResponse: () => {
      throw new HttpProblem('unavailable', 'The answer took too long. Try again shortly.', {
        headers: { 'retry-after': '1' },
      });
    },
  })
    .use(requestMetrics())
    .use(securityHeaders())
    .use(inviteOrigins(callers.corsOrigins))
    .use(answerHeaders())
    .use(problemDetails(logger))
    .use(refuseForeignCallers(callers))
    .handler(async (event, context) =>
      inLogContext({ requestId: requestIdOf(event, context) }, async () =>
        handle(event, await open(), context),
      ),
    );
}
