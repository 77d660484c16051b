import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import type { OutputPage } from '../tasks/read-output.ts';
import { asText } from './text.ts';

/** Output as JSON: each chunk with `text` where it is text, else with `base64`. */
export function viewOutput({ attempt, chunks, next, done }: OutputPage) {
  return {
    attempt,
    chunks: chunks.map(({ seq, stream, at, bytes }) => ({ seq, stream, at, ...viewBytes(bytes) })),
    next,
    done,
  };
}

function viewBytes(bytes: Buffer) {
  const text = asText(bytes);
  return text === undefined ? { base64: bytes.toString('base64') } : { text };
}

/** Output as a command wrote it, both streams in order of arrival; headers tell how to go on. */
export function rawOutput({
  attempt,
  chunks,
  next,
  done,
}: OutputPage): APIGatewayProxyStructuredResultV2 {
  return {
    statusCode: 200,
    headers: {
      'content-type': 'text/plain; charset=utf-8',
      'errand-attempt': String(attempt),
      'errand-next': String(next),
      'errand-done': String(done),
    },
    isBase64Encoded: true,
    body: Buffer.concat(chunks.map(({ bytes }) => bytes)).toString('base64'),
  };
}
