import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { inOneLine } from '../observability/in-one-line.ts';
import type { Logger } from '../observability/logger.ts';
import { problemResponse, statusOf, toProblem } from './problem.ts';
import { requestIdOf } from './request-id.ts';

/** Answers every error as RFC 9457 problem details; the cause of a 5xx goes to the log alone. */
export function problemDetails(
  logger: Logger,
): middy.MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> {
  return {
    onError: (request) => {
      const requestId = requestIdOf(request.event, request.context);
      const problem = toProblem(request.error);
      // During an outage every request ends like this, and a stack would tell nothing.
      if (problem.code === 'unavailable') {
        logger.warn(inOneLine(request.error), problem.message);
      } else if (statusOf(problem) >= 500) {
        logger.error({ err: request.error }, problem.message);
      }
      request.response = problemResponse(problem, requestId);
    },
  };
}
