import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
} from 'aws-lambda';
import { invocation } from '../observability/invocation.ts';
import { inLogContext } from '../observability/log-context.ts';
import type { Logger } from '../observability/logger.ts';
import { observe } from '../observability/metrics.ts';
import { describeSpan, inSpan, type SpanOptions } from '../observability/tracing.ts';
import { requestIdOf } from './request-id.ts';
import { NO_ROUTE, routeOf } from './route-of.ts';
import { taskId as TaskId } from './task-requests.ts';

type Answer = APIGatewayProxyStructuredResultV2;

/** Of what goes well: `debug` where people read along. */
export type AccessLevel = 'debug' | 'info';

/** Asked every few seconds by probes and Prometheus: nobody wants a line or a trace of each. */
const QUIET_ROUTES = new Set(['/health/live', '/health/ready', '/metrics']);

/** Serves a request as a span of the caller's trace, measures it, and tells of it in one line. */
export function recordRequest(
  { logger, accessLevel }: { readonly logger: Logger; readonly accessLevel: AccessLevel },
  event: APIGatewayProxyEventV2,
  context: Context,
  serve: () => Promise<Answer>,
): Promise<Answer> {
  const { method, route } = routeOf(event.routeKey);
  const quiet = QUIET_ROUTES.has(route);
  const requestId = requestIdOf(event, context);
  const fields = { requestId, ...taskOf(event) };

  async function record(): Promise<Answer> {
    const begunAt = performance.now();
    const answer = await serve();
    const status = answer.statusCode ?? 500;
    describeSpan({
      'http.response.status_code': status,
      'error.type': status >= 500 ? String(status) : undefined,
    });
    const ms = performance.now() - begunAt;
    observe('errand_http_request_duration_seconds', { method, route, status }, ms / 1000);
    const level = quiet ? 'debug' : levelOf(status, accessLevel);
    logger[level]({ method, route, status, ms: Math.round(ms) }, 'request');
    return answer;
  }

  return inLogContext(fields, () =>
    invocation(() => (quiet ? record() : inSpan(spanOf(event, fields), record))),
  );
}

/** A path may hold anything, and only the id of a task is worth telling. */
function taskOf({ pathParameters }: APIGatewayProxyEventV2) {
  const { data: taskId } = TaskId.safeParse(pathParameters?.taskId);
  return taskId === undefined ? {} : { taskId };
}

/** With 503 a caller is told to try again, and a warning has told what is away (problem-details.ts). */
function levelOf(status: number, accessLevel: AccessLevel): AccessLevel | 'error' {
  return status >= 500 && status !== 503 ? 'error' : accessLevel;
}

/** By https://opentelemetry.io/docs/specs/semconv/http/http-spans/. Neither path nor query. */
function spanOf(
  { routeKey, headers }: APIGatewayProxyEventV2,
  { requestId, taskId }: { readonly requestId: string; readonly taskId?: string },
): SpanOptions {
  const known = routeOf(routeKey);
  const { method, route } = known;
  return {
    name: known === NO_ROUTE ? 'HTTP' : `${method} ${route}`,
    kind: 'server',
    causedBy: headers?.traceparent,
    attributes: {
      'http.request.method': known === NO_ROUTE ? '_OTHER' : method,
      'http.route': known === NO_ROUTE ? undefined : route,
      'errand.request.id': requestId,
      'errand.task.id': taskId,
    },
  };
}
