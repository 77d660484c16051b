import * as z from 'zod';
import { limitUpTo200 } from './task-requests.ts';

/** Query of `GET /api/dead-letters`. */
export const DeadLettersQuery = z.strictObject({ limit: limitUpTo200 });

/** What a broker calls a letter. It goes into the audit log as well. */
const letterId = z
  .string('must be the "id" of a dead letter')
  .regex(/^[\x21-\x7e]{1,200}$/, 'must be 1 to 200 characters of ASCII, without spaces');

/** Body of `POST /api/dead-letters/redrive`; none at all means every letter. */
export const RedriveRequest = z
  .strictObject(
    {
      id: letterId
        .optional()
        .meta({ description: 'Of one dead letter. Without it, all are sent back.' }),
    },
    { error: 'must be a JSON object' },
  )
  .meta({ id: 'RedriveRequest', examples: [{}, { id: '5c1f3ad8-6a10-4c9c-9d4e-1f0c7f1f7f30' }] });
