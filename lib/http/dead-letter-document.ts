import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.

export const DeadLettersDocument = z
  .object({
    items: z.array(
      z
        .object({
          id: z.string(),
          body: z.string().meta({ description: 'As it was sent; perhaps no message of ours.' }),
          receiveCount: z.int().min(0).meta({ description: 'How often it was delivered.' }),
          sentAt: z.date(),
        })
        .meta({ id: 'DeadLetter' }),
    ),
  })
  .meta({ id: 'DeadLetters', description: 'Messages that the queue gave up on.' });

export const RedriveDocument = z
  .object({ redriven: z.int().min(0).meta({ description: 'How many were sent back.' }) })
  .meta({ id: 'Redrive' });
