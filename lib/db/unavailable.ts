/**
 * Codes of postgres.js and of Postgres that tell of a database that is not there *now*: down,
 * starting, shutting down, full, failing over, overloaded, or not migrated yet. Trying again later
 * is right. https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const UNAVAILABLE = new Set([
  'CONNECT_TIMEOUT',
  'CONNECTION_CLOSED',
  'CONNECTION_DESTROYED',
  'CONNECTION_ENDED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOENT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EPIPE',
  'ETIMEDOUT',
  'SCHEMA_MISMATCH', // lib/db/schema-version.ts: until somebody migrates, or deploys
  '25006', // read_only_sql_transaction: a standby that was promoted elsewhere
  '3D000', // invalid_catalog_name: the database is not created yet
  '3F000', // invalid_schema_name: not migrated yet
  '40001', // serialization_failure
  '40P01', // deadlock_detected
  '42P01', // undefined_table: not migrated yet
  '53100', // disk_full
  '53200', // out_of_memory
  '53300', // too_many_connections
  '55P03', // lock_not_available: our lock_timeout
  '57014', // query_canceled: our statement_timeout
  '57P01', // admin_shutdown
  '57P02', // crash_shutdown
  '57P03', // cannot_connect_now
]);

/** Tells whether an error of a query means "not now" rather than "never". */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  const { code } = error;
  return typeof code === 'string' && (UNAVAILABLE.has(code) || code.startsWith('08'));
}
