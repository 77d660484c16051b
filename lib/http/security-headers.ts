import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { requestIdOf } from './request-id.ts';

/** Headers of every answer. What a command wrote must never be taken for a page or be cached. */
export function securityHeaders(): middy.MiddlewareObj<
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2
> {
  const set: middy.MiddlewareFn<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> = ({
    event,
    context,
    response,
  }) => {
    if (!response) return;
    response.headers = {
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      'x-request-id': requestIdOf(event, context),
      ...response.headers,
    };
  };
  return { after: set, onError: set };
}
