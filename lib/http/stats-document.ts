import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.

const count = z.int().min(0);
const percentiles = z.object({
  p50: z.number().nullable(),
  p95: z.number().nullable(),
  p99: z.number().nullable(),
});

export const StatsDocument = z
  .object({
    tasks: z
      .object({
        queued: count,
        running: count,
        succeeded: count,
        failed: count,
        cancelled: count,
      })
      .meta({ description: 'All that there are, by status.' }),
    oldestWaitSeconds: z.number().nullable().meta({
      description: 'How long the oldest task has waited that could run.',
    }),
    recent: z
      .object({
        seconds: count.meta({ description: 'Of how long the figures are.' }),
        created: count,
        succeeded: count,
        failed: count,
        cancelled: count,
        waitMs: percentiles.meta({ description: 'From when it could run to its start.' }),
        runMs: percentiles.meta({ description: 'From its start to its end.' }),
      })
      .meta({ description: 'What came and ended lately.' }),
    queue: z
      .object({
        ready: count,
        inFlight: count.nullable().meta({ description: 'Null where the broker does not tell.' }),
        delayed: count,
        deadLetters: count,
      })
      .nullable()
      .meta({ description: 'What the broker counts; null where there are several tenants.' }),
  })
  .meta({ id: 'Stats' });
