import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

/** 200 with a JSON document. */
export function ok(document: unknown): APIGatewayProxyStructuredResultV2 {
  return json(200, document);
}

/** 202: taken on, and to be found at `location`. */
export function accepted(document: unknown, location: string): APIGatewayProxyStructuredResultV2 {
  return json(202, document, { location });
}

function json(
  statusCode: number,
  document: unknown,
  headers: Record<string, string> = {},
): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode,
    headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
    body: `${JSON.stringify(document)}\n`,
  };
}
