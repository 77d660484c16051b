import * as z from 'zod';
import { wholeNumberText } from './query-fields.ts';
import { waitSeconds } from './wait.ts';

/** Query of `GET /api/tasks/{taskId}/output`. */
export const OutputQuery = z.strictObject({
  after: wholeNumberText(
    { min: 0, max: 999_999_999_999_999 },
    'must be the "next" of an earlier answer, or 0',
  )
    .optional()
    .meta({ description: 'Only what came after this: the `next` of an earlier answer.' }),
  attempt: wholeNumberText({ min: 1, max: 2 ** 31 - 1 }, 'must be the number of an attempt, from 1')
    .optional()
    .meta({ description: 'Only what this attempt wrote; otherwise the newest one.' }),
  wait: waitSeconds.default(0).meta({
    description: 'Where there is no output yet, wait so many seconds for some.',
  }),
});
