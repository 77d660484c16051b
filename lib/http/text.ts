import { isUtf8 } from 'node:buffer';

/** Smaller texts may grow as they like. */
const INFLATES_FROM = 64 * 1024;

/**
 * Undefined when it is not UTF-8, or when JSON would blow it up (a control character takes six
 * bytes): two streams of escaped zeroes would pass the 6 MB that a Lambda function may answer.
 */
export function asText(bytes: Buffer): string | undefined {
  if (!isUtf8(bytes)) return undefined;
  const text = bytes.toString('utf8');
  if (bytes.length > INFLATES_FROM && JSON.stringify(text).length > 2 * bytes.length)
    return undefined;
  return text;
}
