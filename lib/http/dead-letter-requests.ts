import * as z from 'zod';
import { limitUpTo200 } from './task-requests.ts';

/** Query of `GET /api/dead-letters`. */
export const DeadLettersQuery = z.strictObject({ limit: limitUpTo200 });

/** Body of `POST /api/dead-letters/redrive`; none at all means every letter. */
export const RedriveRequest = z.strictObject(
  { id: z.string('must be the "id" of a dead letter').min(1, 'must not be empty').optional() },
  { error: 'must be a JSON object' },
);
