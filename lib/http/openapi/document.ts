import {
  createDocument,
  type oas31,
  type ZodOpenApiOperationObject,
  type ZodOpenApiOverride,
} from 'zod-openapi';
import { ROUTES } from '../routes.ts';
import { auditOperations } from './audit-operations.ts';
import { deadLetterOperations } from './dead-letter-operations.ts';
import type { Operations } from './operation.ts';
import { serviceOperations } from './service-operations.ts';
import { taskOperations } from './task-operations.ts';

const operations: Operations<keyof typeof ROUTES> = {
  ...taskOperations,
  ...deadLetterOperations,
  ...auditOperations,
  ...serviceOperations,
};

/** The OpenAPI document of all routes, made from the schemas that check requests and answers. */
export function makeOpenApi(): oas31.OpenAPIObject {
  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: 'errand',
        version: '0.1.0',
        description: DESCRIPTION,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      // The origin that this document came from.
      servers: [{ url: './' }],
      tags: [
        { name: 'Tasks', description: 'Commands, and what came of them.' },
        { name: 'Dead letters', description: 'Messages that the queue gave up on.' },
        { name: 'Audit', description: 'Who changed what, and from where.' },
        { name: 'Health', description: 'For probes.' },
        { name: 'Documentation' },
      ],
      components: {
        securitySchemes: {
          apiKey: {
            type: 'http',
            scheme: 'bearer',
            description: 'An API key, where the deployment asks for one (`errand_...`).',
          },
        },
      },
      paths: Object.fromEntries(Object.entries(ROUTES).map(pathItem)),
    },
    { override: adjust },
  ) as oas31.OpenAPIObject;
}

const DESCRIPTION = `\
Shell commands as durable tasks: sent with one request, stored, queued, run in a sandbox, and what
came of them is there to query.

Times are RFC 3339 in UTC. Ignore fields of answers that you do not know: there may be new ones.
Every GET answers HEAD as well. Query parameters that are not listed are refused under
\`/api\`, and ignored elsewhere. Errors are problem details (RFC 9457) with a stable \`code\`: 404
\`route_not_found\` where there is no such path, 405 \`method_not_allowed\` with \`Allow\` where a path
does not take the method.`;

function pathItem([path, route]: [string, Readonly<Record<string, string>>]) {
  const described = operations[path as keyof typeof ROUTES] as Record<
    string,
    ZodOpenApiOperationObject
  >;
  const items = Object.entries(route).map(([method, name]) => {
    const key = method.toLowerCase();
    return [key, { operationId: camelCase(name), ...described[key] }];
  });
  return [path, Object.fromEntries(items)];
}

function camelCase(name: string): string {
  return name.replace(/-(.)/g, (_dash, letter: string) => letter.toUpperCase());
}

/** What JSON makes of our values, without what says nothing to a reader. */
const adjust: ZodOpenApiOverride = ({ jsonSchema, zodSchema, io }) => {
  if (zodSchema._zod.def.type === 'date') {
    jsonSchema.type = 'string';
    jsonSchema.format = 'date-time';
  }
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  // A client that refused what it does not know would break whenever we tell more.
  if (io === 'output' && jsonSchema.additionalProperties === false) {
    delete jsonSchema.additionalProperties;
  }
};
