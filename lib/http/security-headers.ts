import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { requestIdOf } from './request-id.ts';

/** A year: API Gateway is there over HTTPS alone. */
const HTTPS_ONLY = { 'strict-transport-security': 'max-age=31536000' };

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
      'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      ...(event.headers?.['x-forwarded-proto'] === 'https' && HTTPS_ONLY),
      'x-request-id': requestIdOf(event, context),
      ...response.headers,
    };
  };
  return { after: set, onError: set };
}
