import postgres from 'postgres';

/** A pool of connections, or a transaction on one of them. Stores take it as their first argument. */
export type Sql = postgres.Sql<{ bigint: number }>;

export interface DatabaseSettings {
  readonly url: string;
  /** One on Lambda, where an environment serves one request at a time. */
  readonly poolMax: number;
  /** False behind a transaction pooler (PgBouncer), which loses prepared statements. */
  readonly prepare: boolean;
}

/** Opens a pool; the first query connects. A lost connection is made anew by the next query. */
export function connect({ url, poolMax, prepare }: DatabaseSettings): Sql {
  return postgres(url, {
    max: poolMax,
    prepare,
    connect_timeout: 3,
    idle_timeout: 60,
    // A request makes one attempt, so the pause between attempts is what the next request waits:
    // the default (up to 20 s) would hold up everybody long after the server is back.
    backoff: () => 0.05,
    // PgBouncer refuses start-up parameters that it does not know.
    connection: {
      application_name: 'errand',
      ...(prepare && { statement_timeout: 15_000, lock_timeout: 10_000 }),
    },
    onnotice: () => {},
    types: {
      // Our bigints count bytes: they stay far below 2^53.
      bigint: { to: 20, from: [20], serialize: String, parse: Number },
    },
  });
}
