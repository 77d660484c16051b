import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.
import { PROBLEMS, type ProblemCode } from './problem.ts';

/** An RFC 9457 document, as `problemResponse` makes it. */
export const ProblemDocument = z
  .object({
    type: z.string().meta({ description: 'Stable: `urn:errand:problem:` and the code.' }),
    title: z.string().meta({ description: 'What kind of problem it is; never varies.' }),
    status: z.int().min(400).max(599),
    code: z.enum(Object.keys(PROBLEMS) as [ProblemCode, ...ProblemCode[]]),
    detail: z.string().meta({ description: 'What is wrong here, and what helps.' }),
    instance: z.string().meta({ description: 'Names this occurrence in the log of the server.' }),
    errors: z
      .array(
        z.object({
          path: z.string().meta({ description: 'The field, as in `labels.team` or `argv.0`.' }),
          message: z.string(),
        }),
      )
      .exactOptional()
      .meta({ description: 'What is wrong with each field, up to 20 of them.' }),
    refused: z
      .array(
        z.object({
          index: z.int().min(0).meta({ description: 'Which command of the batch, from 0.' }),
          rule: z.string(),
          executable: z.string().nullable(),
          detail: z.string(),
        }),
      )
      .exactOptional()
      .meta({ description: 'Every command that the command policy does not allow.' }),
  })
  .meta({
    id: 'Problem',
    description: 'Problem details (RFC 9457).',
    examples: [
      {
        type: 'urn:errand:problem:invalid_request',
        title: 'Invalid request',
        status: 400,
        code: 'invalid_request',
        detail: 'command: must not be empty',
        instance: 'urn:errand:request:7a0f5f0e-3c1e-4a6e-8f0a-2f9d8c7b6a51',
        errors: [{ path: 'command', message: 'must not be empty' }],
      },
    ],
  });
