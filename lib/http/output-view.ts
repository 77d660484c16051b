import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda';
import * as z from 'zod';
import type { OutputPage } from '../tasks/read-output.ts';
import { asText } from './text.ts';

const OutputChunkDocument = z
  .object({
    seq: z.int().min(1),
    stream: z.enum(['stdout', 'stderr']),
    at: z.date().meta({ description: 'When it was stored.' }),
    text: z.string().exactOptional(),
    base64: z.base64().exactOptional().meta({ description: 'Instead of `text` where it is none.' }),
  })
  .meta({ oneOf: [{ required: ['text'] }, { required: ['base64'] }] });

export const OutputDocument = z
  .object({
    attempt: z.int().min(0),
    chunks: z
      .array(OutputChunkDocument)
      .meta({ description: 'In order of arrival, both streams.' }),
    next: z.int().min(0).meta({ description: 'The `after` of the next request.' }),
    done: z.boolean().meta({ description: 'Whether there is no more, and will be no more.' }),
  })
  .meta({ id: 'OutputPage', description: 'What a command wrote.' });

/** Output as JSON: each chunk with `text` where it is text, else with `base64`. */
export function viewOutput({
  attempt,
  chunks,
  next,
  done,
}: OutputPage): z.infer<typeof OutputDocument> {
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
