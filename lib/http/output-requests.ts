import { z } from 'zod';
import { waitSeconds } from './wait.ts';

const counting = (from: number, message: string) =>
  z
    .string('must be given once')
    .regex(/^\d{1,15}$/, message)
    .transform(Number)
    .refine((number) => number >= from, message);

/** Query of `GET /api/tasks/{taskId}/output`. */
export const OutputQuery = z.strictObject({
  after: counting(0, 'must be the "next" of an earlier answer, or 0').optional(),
  attempt: counting(1, 'must be the number of an attempt, from 1')
    .refine((number) => number < 2 ** 31, 'must be the number of an attempt, from 1')
    .optional(),
  wait: waitSeconds.default(0),
});
