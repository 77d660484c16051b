import { createHash } from 'node:crypto';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { stringify } from 'safe-stable-stringify';
import * as z from 'zod';
import type { IdempotencyKey } from '../tasks/insert-tasks.ts';
import { parseJsonBody } from './parse-request.ts';
import { HttpProblem } from './problem.ts';

export const IdempotencyKeyHeader = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, 'must be 1 to 255 characters of ASCII, without spaces')
  .meta({ examples: ['backup-2030-01-31'] });

/** The header `Idempotency-Key`, with what its request asks for. @throws HttpProblem 400 */
export function idempotencyKeyOf(event: APIGatewayProxyEventV2): IdempotencyKey | undefined {
  const key = event.headers['idempotency-key'];
  if (key === undefined) return undefined;
  const parsed = IdempotencyKeyHeader.safeParse(key);
  if (!parsed.success) {
    const message = parsed.error.issues[0]?.message ?? '';
    throw new HttpProblem('invalid_request', `Idempotency-Key: ${message}`, {
      errors: [{ path: 'Idempotency-Key', message }],
    });
  }
  // Fields in another order, or other spaces, are the same request.
  const request = `${event.rawPath}\n${stringify(parseJsonBody(event))}`;
  return { key, requestHash: createHash('sha256').update(request).digest() };
}
