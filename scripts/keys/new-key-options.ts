import { SCOPES, type Scope, type Tenant } from '../../lib/access/caller.ts';
import { MAX_RATE, NAME_FORM, TENANT_FORM } from '../../lib/access/key-command.ts';
import type { NewKey } from '../../lib/access/key-store.ts';
import type { RateLimit } from '../../lib/access/rate-limit.ts';
import { misused } from '../failure.ts';
import { readInstant } from './time-options.ts';

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
  if (name !== undefined && NAME_FORM.test(name)) return name;
  const what = name === undefined ? 'is missing' : 'must be 1 to 100 printable characters';
  throw misused(`--name ${what}.`, 'Say what the key is for: --name ci');
}

export function readTenant(tenant: string): Tenant {
  if (TENANT_FORM.test(tenant)) return tenant as Tenant;
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
