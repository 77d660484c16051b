import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

/** What a page may send besides what every page may. */
const REQUEST_HEADERS =
  'authorization, content-type, idempotency-key, if-none-match, prefer, x-request-id';

/** What a page may read besides what every page may (the content type and such). */
const ANSWER_HEADERS = [
  ...['allow', 'errand-attempt', 'errand-done', 'errand-next', 'etag', 'idempotent-replayed'],
  ...['location', 'preference-applied', 'ratelimit', 'ratelimit-policy', 'retry-after'],
  ...['www-authenticate', 'x-request-id'],
].join(', ');

/** Chromium asks again after two hours at the latest. */
const PREFLIGHT_SECONDS = '7200';

/**
 * Invites the pages of these origins (https://fetch.spec.whatwg.org/#http-cors-protocol). Who calls
 * is told by the `Authorization` header, so credentials of the browser's own are not asked for.
 */
export function inviteOrigins(
  origins: readonly string[],
): middy.MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> {
  const set: middy.MiddlewareFn<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> = ({
    event: { headers, requestContext },
    response,
  }) => {
    if (!response || origins.length === 0) return;
    const vary = [response.headers?.vary, 'origin'].filter(Boolean).join(', ');
    response.headers = { ...response.headers, vary };
    if (!isInvited(headers.origin, origins)) return;
    Object.assign(response.headers, {
      'access-control-allow-origin': headers.origin,
      'access-control-expose-headers': ANSWER_HEADERS,
    });
    if (requestContext.http.method !== 'OPTIONS') return;
    Object.assign(response.headers, {
      'access-control-allow-methods': response.headers.allow ?? '',
      'access-control-allow-headers': REQUEST_HEADERS,
      'access-control-max-age': PREFLIGHT_SECONDS,
    });
  };
  return { after: set, onError: set };
}

export function isInvited(origin: string | undefined, origins: readonly string[]): boolean {
  return origin !== undefined && origins.includes(origin);
}
