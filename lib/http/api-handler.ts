import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { z } from 'zod';
import type { Actor, Principal, Scope } from '../access/caller.ts';
import { addToLog } from '../observability/log-context.ts';
import { describeSpan } from '../observability/tracing.ts';
import { negotiate } from './accept.ts';
import { challenge } from './bearer.ts';
import { type Edge, httpHandler } from './http-handler.ts';
import { parseQuery } from './parse-request.ts';
import { HttpProblem } from './problem.ts';
import { requestIdOf } from './request-id.ts';

/** Tells in whose name a request comes. @throws HttpProblem 401, 429 */
export type Authenticate = (event: APIGatewayProxyEventV2) => Promise<Principal>;

/** A request that is known to be allowed. */
export interface ApiRequest<Query> {
  readonly event: APIGatewayProxyEventV2;
  readonly caller: Actor;
  readonly query: Query;
  /** What of the media types that the function answers the caller likes best. */
  readonly mediaType: string;
}

export interface ApiOptions<Query> {
  /** What a key must be good for. */
  readonly scope: Scope;
  /** Its query parameters. With any other a request is refused: it would be half understood. */
  readonly query: z.ZodType<Query>;
  /** What the function answers; the first one unless the caller asks for another. */
  readonly produces?: readonly [string, ...string[]];
}

/** A function of the API: serves those whose key is good for it. */
export function apiHandler<Services extends { readonly authenticate: Authenticate }, Query>(
  edge: Edge & { open: () => Promise<Services> },
  { scope, query: querySchema, produces = ['application/json'] }: ApiOptions<Query>,
  handle: (
    request: ApiRequest<Query>,
    services: Services,
  ) => Promise<APIGatewayProxyStructuredResultV2>,
) {
  return httpHandler(edge, async (event, services, context) => {
    const { tenant, keyId, scopes } = await services.authenticate(event);
    addToLog({ tenant });
    describeSpan({ 'errand.tenant': tenant });
    if (!scopes.includes(scope)) {
      throw new HttpProblem(
        'insufficient_scope',
        `This needs an API key with the scope "${scope}"; yours has ${scopes.join(', ')}.`,
        { headers: challenge({ error: 'insufficient_scope', scope }) },
      );
    }
    const mediaType = negotiate(event, produces);
    const query = parseQuery(event, querySchema);
    // The address that the gateway saw. X-Forwarded-For holds what the caller likes.
    const sourceIp = event.requestContext.http.sourceIp || null;
    const caller = { tenant, keyId, requestId: requestIdOf(event, context), sourceIp };
    return handle({ event, caller, query, mediaType }, services);
  });
}
