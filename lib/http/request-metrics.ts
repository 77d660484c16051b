import type { MiddlewareObj } from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { observe } from '../observability/metrics.ts';

type Middleware = MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>;
type Request = Parameters<NonNullable<Middleware['after']>>[0];

/** Of what no route takes: its method and path are whatever a caller likes. */
export const NO_ROUTE = { method: 'any', route: 'none' };

/** Measures each request, under its route and the status of its answer. */
export function requestMetrics(): Middleware {
  const begunAt = new WeakMap<Request, number>();
  const record = (request: Request) => {
    const ms = performance.now() - (begunAt.get(request) ?? performance.now());
    const status = request.response?.statusCode ?? 500;
    const labels = { ...routeOf(request.event.routeKey), status };
    observe('errand_http_request_duration_seconds', labels, ms / 1000);
  };
  return {
    before(request) {
      begunAt.set(request, performance.now());
    },
    after: record,
    onError: record,
  };
}

/** `GET /api/tasks/{taskId}`, say, in two; `$default` is what no other route takes. */
export function routeOf(routeKey: string) {
  const [method, route] = routeKey.split(' ');
  return method === undefined || route === undefined ? NO_ROUTE : { method, route };
}
