import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import { hasEnded, type Task } from '../tasks/task.ts';

/** An ended task changes only when it is run again, which gives it another attempt and end. */
export function etagOf({ status, attempt, finishedAt }: Task): string | undefined {
  if (!hasEnded(status)) return undefined;
  return `"${attempt}-${finishedAt?.getTime()}-${status}"`;
}

/** Whether `If-None-Match` names the tag, or all of them. Weak tags compare as strong ones do. */
export function isKnown(etag: string, { headers }: APIGatewayProxyEventV2): boolean {
  const tags = (headers['if-none-match'] ?? '').split(',').map((tag) => tag.trim());
  return tags.some((tag) => tag === '*' || tag.replace(/^W\//, '') === etag);
}

export function notModified(etag: string): APIGatewayProxyStructuredResultV2 {
  return { statusCode: 304, headers: { etag }, body: '' };
}
