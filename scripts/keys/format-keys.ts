import type { IssuedKey } from '../../lib/access/issue-key.ts';
import type { StoredKey } from '../../lib/access/key-store.ts';

const ONCE = 'This is the only time that it is shown. Keep it as you keep a password.';

export function formatCreated({ stored, apiKey }: IssuedKey): string {
  return `Created "${stored.name}" (${describe(stored)}).

  ${apiKey}

${ONCE} It is sent as:

  --header 'Authorization: Bearer errand_...'`;
}

export function formatRotated({ stored, apiKey }: IssuedKey): string {
  const old = stored.overlapUntil
    ? `The one before works until ${stored.overlapUntil.toISOString()}.`
    : 'All before it are refused now.';
  return `Gave "${stored.name}" (${describe(stored)}) a new secret. ${old}

  ${apiKey}

${ONCE}`;
}

function describe({ tenant, scopes, rateLimit, expiresAt }: StoredKey): string {
  const parts = [`tenant ${tenant}`, scopes.join(', '), formatLimit(rateLimit)];
  if (expiresAt) parts.push(`until ${expiresAt.toISOString()}`);
  return parts.join('; ');
}

function formatLimit(limit: StoredKey['rateLimit']): string {
  if (!limit) return 'no limit';
  return `${limit.requestsPerMinute}/min, ${limit.burst} at once`;
}

/** A table; times to the minute, in UTC. */
export function formatKeys(keys: readonly StoredKey[]): string {
  if (keys.length === 0) return 'There are no keys. Make one: npm run keys -- create --name NAME';
  const head = ['id', 'tenant', 'name', 'scopes', 'limit', 'state', 'last used', 'expires'];
  const rows = keys.map((key) => [
    key.id,
    key.tenant,
    key.name,
    key.scopes.join(','),
    formatLimit(key.rateLimit),
    key.state,
    formatTime(key.lastUsedAt),
    formatTime(key.expiresAt),
  ]);
  const widths = head.map((_, column) =>
    Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function formatTime(time: Date | null): string {
  return time ? time.toISOString().slice(0, 16).replace('T', ' ') : 'never';
}
