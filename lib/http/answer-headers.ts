import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';

type Headers = Readonly<Record<string, string>>;

const headersByRequest = new WeakMap<APIGatewayProxyEventV2, Headers>();

/** Has the answer to this request carry the headers, whether it will be an error or not. */
export function addToAnswer(event: APIGatewayProxyEventV2, headers: Headers): void {
  headersByRequest.set(event, { ...headersByRequest.get(event), ...headers });
}

export function answerHeaders(): middy.MiddlewareObj<
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2
> {
  const set: middy.MiddlewareFn<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> = ({
    event,
    response,
  }) => {
    const headers = headersByRequest.get(event);
    if (response && headers) response.headers = { ...headers, ...response.headers };
  };
  return { after: set, onError: set };
}
