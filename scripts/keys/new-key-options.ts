import { SCOPES, type Scope, type Tenant } from '../../lib/access/caller.ts';
import type { NewKey } from '../../lib/access/key-store.ts';
import type { RateLimit } from '../../lib/access/rate-limit.ts';
import { misused } from '../failure.ts';
import { readInstant } from './time-options.ts';

const MAX_RATE = 1_000_000;

/** Options as they were given. */
export type Values = Readonly<Record<string, string | undefined>>;

/** What `create` says about the key. @throws Failure */
export function readNewKey(values: Values): Omit<NewKey, 'id'> {
  return {
    name: readName(values.name),
    scopes: readScopes(values.scopes ?? 'read,write'),
    rateLimit: readRateLimit(values),
    expiresAt: values.expires === undefined ? null : readInstant('expires', values.expires),
  };
}

function readName(name: string | undefined): string {
  // Control characters would have a say in the terminal of whoever lists keys.
  if (name !== undefined && /^[^\p{C}]{1,100}$/u.test(name) && name.trim() !== '') return name;
  const what = name === undefined ? 'is missing' : 'must be 1 to 100 printable characters';
  throw misused(`--name ${what}.`, 'Say what the key is for: --name ci');
}

/** Tenants are in the queue's message groups as well, which take no more than this. */
export function readTenant(tenant: string): Tenant {
  if (/^[a-z0-9][a-z0-9._-]{0,62}$/.test(tenant)) return tenant as Tenant;
  throw misused(
    `--tenant is "${tenant}", which is no tenant.`,
    'Up to 63 of a-z, 0-9, ".", "_" and "-", beginning with a letter or digit: --tenant acme',
  );
}

function readScopes(text: string): Scope[] {
  const given = [...new Set(text.split(',').map((scope) => scope.trim()))];
  const unknown = given.find((scope) => !SCOPES.some((known) => known === scope));
  if (unknown === undefined) return SCOPES.filter((scope) => given.includes(scope));
  throw misused(
    `--scopes has "${unknown}", which is not known.`,
    `Known are: ${SCOPES.join(', ')}. For example: --scopes read,write`,
  );
}

function readRateLimit(values: Values): RateLimit | null {
  if (values['per-minute'] === 'none') {
    if (values.burst === undefined) return null;
    throw misused('--burst limits what --per-minute none does not.', 'Leave one of them out.');
  }
  const requestsPerMinute = readRate('per-minute', values['per-minute'] ?? '600');
  const burst = values.burst === undefined ? requestsPerMinute : readRate('burst', values.burst);
  return { requestsPerMinute, burst };
}

function readRate(option: string, text: string): number {
  const rate = Number(text);
  if (/^\d+$/.test(text) && rate >= 1 && rate <= MAX_RATE) return rate;
  throw misused(
    `--${option} is "${text}"; it must be a whole number from 1 to ${MAX_RATE}.`,
    `For example: --${option} 100`,
  );
}
