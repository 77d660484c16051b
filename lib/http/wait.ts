import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import * as z from 'zod';
import { once, wholeNumberText } from './query-fields.ts';

/** An API Gateway gives up after 30 s, and what is asked of the database takes time as well. */
export const MAX_WAIT_SECONDS = 25;

export const waitSeconds = wholeNumberText({ min: 0, max: MAX_WAIT_SECONDS });

/** Query of what may wait for the end of a task. */
export const WaitQuery = z.strictObject({
  wait: waitSeconds
    .optional()
    .meta({ description: 'Wait so many seconds for the end of the task.' }),
});

/** Query of `GET /api/tasks/{taskId}`. */
export const TaskQuery = WaitQuery.extend({
  id: once.optional().meta({
    description: 'Taken from the clients of old that send it, and ignored.',
    deprecated: true,
  }),
});

export interface Wait {
  readonly ms: number;
  /** Tells the caller that its preference was understood (RFC 7240). */
  readonly headers: Readonly<Record<string, string>>;
}

/**
 * How long a caller wants to wait: `?wait=N`, or the header `Prefer: wait=N`. As RFC 7240 asks, a
 * preference that is malformed is ignored, and one for too long is met as far as it can be.
 */
export function waitOf(
  { headers }: APIGatewayProxyEventV2,
  { wait }: z.infer<typeof WaitQuery>,
): Wait {
  if (wait !== undefined) return { ms: wait * 1000, headers: {} };
  const preferred = /(?:^|[,;\s])wait\s*=\s*"?(\d{1,9})"?/i.exec(headers.prefer ?? '')?.[1];
  if (preferred === undefined) return { ms: 0, headers: {} };
  const seconds = Math.min(Number(preferred), MAX_WAIT_SECONDS);
  return { ms: seconds * 1000, headers: { 'preference-applied': `wait=${seconds}` } };
}
