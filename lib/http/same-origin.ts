import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { HttpProblem } from './problem.ts';

/**
 * Refuses what a page of another origin sends. A browser on the machine that runs errand would
 * otherwise let any website run commands on it. Programs send no `Origin`.
 */
export function refuseCrossOrigin(): middy.MiddlewareObj<
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2
> {
  return {
    before: ({ event: { headers } }) => {
      const { origin, host } = headers;
      if (origin === undefined || hostOf(origin) === host) return;
      throw new HttpProblem('cross_origin', `Pages of ${origin} may not use this API.`);
    },
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
