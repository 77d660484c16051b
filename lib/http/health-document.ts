import * as z from 'zod';
import type {} from 'zod-openapi'; // What `.meta` may say.

const state = z.enum(['up', 'down']);

export const LiveDocument = z.object({ status: z.literal('live') }).meta({ id: 'Live' });

export const HealthChecks = z.object({ database: state, queue: state }).meta({ id: 'Health' });

export const ReadyDocument = z
  .object({ status: z.literal('ready'), checks: HealthChecks })
  .meta({ id: 'Ready' });
