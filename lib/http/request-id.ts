import type { APIGatewayProxyEventV2, Context } from 'aws-lambda';

/** The caller's `X-Request-Id` when it is a sensible one, else the invocation's own id. */
export function requestIdOf(event: APIGatewayProxyEventV2, context: Context): string {
  const asked = event.headers?.['x-request-id'];
  return asked && /^[\w.:-]{1,128}$/.test(asked) ? asked : context.awsRequestId;
}
