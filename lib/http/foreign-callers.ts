import { isIP } from 'node:net';
import type middy from '@middy/core';
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { isInvited } from './cors.ts';
import { HttpProblem } from './problem.ts';

/**
 * Refuses what a web page makes a browser send. A browser on the machine that runs errand would
 * otherwise let any website run commands on it: one of another origin, and one that had its own
 * name resolve to this machine (DNS rebinding), which only the `Host` it was asked for gives away. An
 * address is no name that could be rebound, so it is always taken: a page that a browser has from an
 * address of ours is ours, and Prometheus asks the containers that it finds by their addresses.
 * Programs send no `Origin`. Pages of the CORS origins are invited. Without allowed hosts any is taken: on AWS the gateway knows its own.
 */
export function refuseForeignCallers({
  allowedHosts,
  corsOrigins,
}: {
  allowedHosts: readonly string[];
  corsOrigins: readonly string[];
}): middy.MiddlewareObj<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2> {
  return {
    before: ({ event: { headers } }) => {
      const { origin, host = '' } = headers;
      const isForeign = origin !== undefined && hostOf(origin) !== host;
      if (isForeign && !isInvited(origin, corsOrigins)) {
        throw new HttpProblem('cross_origin', `Pages of ${origin} may not use this API.`);
      }
      if (allowedHosts.length > 0 && !isAllowed(withoutPort(host), allowedHosts)) {
        throw new HttpProblem(
          'unknown_host',
          `This is not ${host || 'a nameless host'}. Ask for ${allowedHosts.join(' or ')}, or add ` +
            'the name to ALLOWED_HOSTS.',
        );
      }
    },
  };
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}

function isAllowed(name: string, allowedHosts: readonly string[]): boolean {
  return allowedHosts.includes(name) || isIP(name.replace(/^\[(.*)\]$/, '$1')) > 0;
}

function withoutPort(host: string): string {
  return host.replace(/:\d+$/, '').toLowerCase();
}
