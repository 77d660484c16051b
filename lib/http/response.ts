import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

type Headers = Readonly<Record<string, string>>;

/** 200 with a JSON document. */
export function ok(document: unknown, headers?: Headers): APIGatewayProxyStructuredResultV2 {
  return json(200, document, headers);
}

/** 202: taken on, and to be found at `location`. */
export function accepted(
  document: unknown,
  location: string,
  headers?: Headers,
): APIGatewayProxyStructuredResultV2 {
  return json(202, document, { location, ...headers });
}

function json(
  statusCode: number,
  document: unknown,
  headers: Headers = {},
): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: `${JSON.stringify(document)}\n`,
  };
}
