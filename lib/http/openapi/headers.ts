import * as z from 'zod';
import { IdempotencyKeyHeader } from '../idempotency-key.ts';
import { MAX_WAIT_SECONDS } from '../wait.ts';

/** Headers of answers. */
export const header = {
  requestId: z.string().meta({
    description: 'Names this request in the log of the server.',
    header: { id: 'X-Request-Id' },
  }),
  location: z.string().meta({
    description: 'Where the task is to be found.',
    header: { id: 'Location' },
  }),
  replayed: z
    .literal('true')
    .optional()
    .meta({
      description: 'The `Idempotency-Key` was used before: this is what it made then.',
      header: { id: 'Idempotent-Replayed' },
    }),
  preferenceApplied: z
    .string()
    .regex(/^wait=\d+$/)
    .optional()
    .meta({
      description: 'For how long, at most, this answer waited.',
      header: { id: 'Preference-Applied' },
    }),
  etag: z
    .string()
    .optional()
    .meta({ description: 'Of a task that has ended.', header: { id: 'ETag' } }),
  rateLimit: z
    .string()
    .optional()
    .meta({
      description: 'What is left of the limit, where there are keys: `"key";r=99;t=1`.',
      header: { id: 'RateLimit' },
    }),
  rateLimitPolicy: z
    .string()
    .optional()
    .meta({
      description: 'The limit: so many requests (`q`) in so many seconds (`w`).',
      header: { id: 'RateLimit-Policy' },
    }),
  challenge: z
    .string()
    .meta({ description: 'How to authenticate (RFC 6750).', header: { id: 'WWW-Authenticate' } }),
  retryAfter: z
    .string()
    .regex(/^\d+$/)
    .meta({ description: 'Seconds to wait before trying again.', header: { id: 'Retry-After' } }),
};

/** Headers of requests. */
export const requestHeader = {
  requestId: {
    'X-Request-Id': z.string().optional().meta({
      description:
        'Your name for this request in the log of the server: 1 to 128 letters, digits and `_.:-`. Any other is ignored.',
    }),
  },
  idempotencyKey: {
    'Idempotency-Key': IdempotencyKeyHeader.optional().meta({
      description:
        'A name of yours for this request. When it is sent again with the same body, the answer is what the first one made.',
    }),
  },
  prefer: {
    Prefer: z
      .string()
      .optional()
      .meta({
        description: `\`wait=N\` waits for the end of the task, up to ${MAX_WAIT_SECONDS} s. What is not understood is ignored.`,
        examples: ['wait=10'],
      }),
  },
  ifNoneMatch: {
    'If-None-Match': z
      .string()
      .optional()
      .meta({ description: 'ETags of the task that the caller has already, or `*`.' }),
  },
};
