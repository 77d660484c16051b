import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import Negotiator from 'negotiator';
import { HttpProblem } from './problem.ts';

/**
 * Which of the media types the caller likes best; the first one when any will do.
 * @throws HttpProblem 406
 */
export function negotiate<T extends string>(
  { headers }: Pick<APIGatewayProxyEventV2, 'headers'>,
  offered: readonly [T, ...T[]],
): T {
  const { accept } = headers;
  if (accept === undefined) return offered[0];
  const best = new Negotiator({ headers: { accept } }).mediaType([...offered]);
  if (best !== undefined) return best as T;
  throw new HttpProblem(
    'not_acceptable',
    `This answers ${offered.join(' or ')}, which "Accept: ${accept.slice(0, 200)}" excludes.`,
  );
}
