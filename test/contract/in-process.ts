import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { ROUTES } from '../../lib/http/routes.ts';
import { aContext } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';
import type { WireAnswer } from './complaints.ts';
import { pathOf, patternOf } from './openapi-document.ts';
import type { WireRequest } from './requests.ts';

/** Hands a request to the function that an HTTP API would choose, in this process. */
export async function sendInProcess(request: WireRequest): Promise<WireAnswer> {
  const path = decodeURIComponent(pathOf(request.path));
  const { name, pathParameters } = routeOf(request.method, path);
  const { handler } = await import(`../../functions/${name}.ts`);
  const answer: APIGatewayProxyStructuredResultV2 = await handler(
    anHttpEvent({
      method: request.method,
      path,
      pathParameters,
      query: new URLSearchParams(
        request.query.map(([name, value]): [string, string] => [name, value]),
      ).toString(),
      headers: request.headers,
      ...(request.body && { body: request.body.toString('base64'), isBase64Encoded: true }),
    }),
    aContext(),
  );
  const { statusCode: status = 0, headers = {}, body = '', isBase64Encoded } = answer;
  return {
    status,
    headers: headers as Record<string, string>,
    body: isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body,
  };
}

const routes = Object.entries(ROUTES)
  .flatMap(([path, route]) =>
    Object.entries(route).flatMap(([method, name]) =>
      (method === 'GET' ? ['GET', 'HEAD'] : [method]).map((m) => ({
        method: m,
        pattern: patternOf(path),
        name,
      })),
    ),
  )
  // A literal path goes before one with a parameter.
  .sort((a, b) => a.pattern.source.split('(?<').length - b.pattern.source.split('(?<').length);

function routeOf(method: string, path: string) {
  for (const route of routes) {
    const match = route.method === method ? route.pattern.exec(path) : null;
    if (match) return { name: route.name, pathParameters: { ...match.groups } };
  }
  return { name: 'unknown-route', pathParameters: {} };
}
