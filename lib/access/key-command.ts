import * as z from 'zod';
import { SCOPES, type Tenant } from './caller.ts';

/** Also in the queue's message groups, which take no more than this. */
export const TENANT_FORM = /^[a-z0-9][a-z0-9._-]{0,62}$/;
/** Control characters would have a say in the terminal of whoever lists keys. */
export const NAME_FORM = /^(?=.*\S)[^\p{C}]{1,100}$/u;
export const MAX_RATE = 1_000_000;

const tenant = z
  .string()
  .regex(TENANT_FORM)
  .transform((text) => text as Tenant);
const rate = z.int().min(1).max(MAX_RATE);
const id = z.uuid();

/** What may be done with keys from where the database is reached: a command line, or a function. */
export const KeyCommand = z.discriminatedUnion('kind', [
  /** A key for everything, in a database that has none yet. */
  z.strictObject({ kind: z.literal('first') }),
  z.strictObject({
    kind: z.literal('create'),
    tenant,
    key: z.strictObject({
      name: z.string().regex(NAME_FORM),
      scopes: z.array(z.enum(SCOPES)).min(1).readonly(),
      rateLimit: z.strictObject({ requestsPerMinute: rate, burst: rate }).nullable(),
      expiresAt: z.coerce.date().nullable(),
    }),
  }),
  z.strictObject({ kind: z.literal('list'), tenant: tenant.optional() }),
  z.strictObject({ kind: z.literal('revoke'), id }),
  z.strictObject({ kind: z.literal('rotate'), id, overlapSeconds: z.int().min(0) }),
]);
export type KeyCommand = z.infer<typeof KeyCommand>;

/** A command, and who gives it: for the audit log. */
export const KeyRequest = z.strictObject({
  command: KeyCommand,
  by: z.string().regex(/^[\x21-\x7e]{1,200}$/),
});
