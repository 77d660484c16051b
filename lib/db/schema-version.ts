import type { Sql } from './connection.ts';

/** The newest migration that this code was written for. A test keeps it true. */
export const SCHEMA_VERSION = 6;

/**
 * Looks whether this code and the database fit. A database that is newer does as a rule, because
 * migrations add first and remove a release later; one that does not says so (see `migrate.ts`).
 * @throws SchemaMismatch, or what the database says when it is not migrated at all
 */
export async function requireSchema(sql: Sql, version = SCHEMA_VERSION): Promise<void> {
  const [schema] = await sql<[{ newest: number | null; needs: number | null }]>`/* requireSchema */
    select max(number) as newest, max(needs_code) as needs from errand.migrations`;
  const { newest, needs } = schema;
  if ((newest ?? 0) < version) {
    throw new SchemaMismatch(
      `The database is at migration ${newest ?? 0}, but this release needs ${version}. ` +
        'Run: npm run migrate',
    );
  }
  if ((needs ?? 0) > version) {
    throw new SchemaMismatch(
      `The database is at migration ${newest} and serves code that knows migration ${needs}; ` +
        `this release knows ${version} only. Run a newer release.`,
    );
  }
}

/** This code and the database do not fit together: one of them has to be brought up to date. */
export class SchemaMismatch extends Error {
  override readonly name = 'SchemaMismatch';
  readonly code = 'SCHEMA_MISMATCH';
}
