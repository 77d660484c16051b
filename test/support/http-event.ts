import { randomUUID } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';

export interface RequestFields {
  readonly method?: string;
  readonly path?: string;
  readonly query?: string;
  readonly pathParameters?: Record<string, string>;
  /** As in `GET /api/tasks`; else what no route takes. */
  readonly routeKey?: string;
  /** Names in lower case, as API Gateway writes them. */
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
}

/** A request as an HTTP API hands it to a function (payload format 2.0 of AWS's documentation). */
export function anHttpEvent(fields: RequestFields = {}): APIGatewayProxyEventV2 {
  const { method = 'GET', path = '/', query = '', headers = {}, pathParameters } = fields;
  const { routeKey = '$default' } = fields;
  const requestId = randomUUID();
  return {
    version: '2.0',
    routeKey,
    rawPath: path,
    rawQueryString: query,
    headers: { host: 'localhost:3500', 'user-agent': 'curl/8.5.0', accept: '*/*', ...headers },
    ...(query && { queryStringParameters: Object.fromEntries(new URLSearchParams(query)) }),
    ...(pathParameters && { pathParameters }),
    requestContext: {
      accountId: '123456789012',
      apiId: 'api-id',
      domainName: 'id.execute-api.us-east-1.amazonaws.com',
      domainPrefix: 'id',
      http: { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'curl/8.5.0' },
      requestId,
      routeKey,
      stage: '$default',
      time: '12/Mar/2020:19:03:58 +0000',
      timeEpoch: 1583348638390,
    },
    ...(fields.body !== undefined && { body: fields.body }),
    isBase64Encoded: fields.isBase64Encoded ?? false,
  };
}

/** A request with a JSON document as `POST /api/tasks` takes it. */
export function aPost(document: unknown, headers: Record<string, string> = {}) {
  return anHttpEvent({
    method: 'POST',
    path: '/api/tasks',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(document),
  });
}
