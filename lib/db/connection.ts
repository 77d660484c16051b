import postgres from 'postgres';
import { arrayTypes } from './array-types.ts';
import { type ObserveStatement, observeQuery } from './observed-query.ts';
import { keepDeadline } from './query-deadline.ts';
import { makeQuietSockets } from './quiet-socket.ts';
import { hideValues } from './row-values.ts';

/** A pool of connections, or a transaction on one of them. Stores take it as their first argument. */
export type Sql = postgres.Sql<{ bigint: number }>;

export interface DatabaseSettings {
  readonly url: string;
  /** One on Lambda, where an environment serves one request at a time. */
  readonly poolMax: number;
  /** False behind a transaction pooler (PgBouncer), which loses prepared statements. */
  readonly prepare: boolean;
  /** How long it may take to connect; for a database that sleeps, as long as it takes to wake up. */
  readonly connectSeconds?: number;
  /** Asked for each new connection; without it, all use the password of the URL. Never rejects. */
  readonly password?: (() => Promise<string>) | undefined;
  /** How long a statement may wait for a connection, and then for the server's answer. */
  readonly deadlineMs?: number;
  /** Hears of every statement, those of transactions excepted. */
  readonly observe?: ObserveStatement | undefined;
}

/** Within this time the server itself ends a statement, and one that waits for a lock. */
const STATEMENT_MS = 10_000;
const LOCK_MS = 5000;
const CONNECT_SECONDS = 3;
/** Longer than any statement, and longer by this than it may take to connect. */
const DEADLINE_MS = 12_000;
const DEADLINE_MARGIN_MS = 2000;
/** What a pool that is used no more has for the statements that it has begun. */
const RETIRE_SECONDS = 5;

/**
 * Opens a pool; the first query connects. A lost connection is made anew by the next query, and a
 * pool with a connection that is dead without knowing it is replaced. No statement waits for ever,
 * but those of a transaction (`sql.begin`), which is for migrations.
 */
export function connect(settings: DatabaseSettings): Sql {
  const { connectSeconds = CONNECT_SECONDS, observe } = settings;
  const { deadlineMs = Math.max(DEADLINE_MS, connectSeconds * 1000 + DEADLINE_MARGIN_MS) } =
    settings;
  let pool = openPool(settings);

  function guarded<T>(query: T, text: TemplateStringsArray | string, owner: Sql): T {
    keepDeadline(query, deadlineMs, () => {
      if (owner !== pool) return;
      pool = openPool(settings);
      void owner.end({ timeout: RETIRE_SECONDS });
    });
    hideValues(query);
    if (observe) observeQuery(query, text, observe);
    return query;
  }

  return new Proxy(pool, {
    apply: (_first, _this, args) => guarded(Reflect.apply(pool, undefined, args), args[0], pool),
    get(_first, property) {
      if (property !== 'unsafe') return Reflect.get(pool, property);
      return (...args: Parameters<Sql['unsafe']>) => guarded(pool.unsafe(...args), args[0], pool);
    },
  });
}

function openPool(settings: DatabaseSettings): Sql {
  const { url, poolMax, prepare, connectSeconds = CONNECT_SECONDS, password } = settings;
  // Options that postgres.js has and its types do not.
  const untyped = {
    // The default sends up to 100 statements behind a slow one instead of waiting for a connection
    // that is free. None at all (0) breaks transactions of postgres.js 3.4.9.
    max_pipeline: 1,
    socket: makeQuietSockets(),
  };
  return postgres(url, {
    ...untyped,
    max: poolMax,
    prepare,
    connect_timeout: connectSeconds,
    ...(password && { password }),
    idle_timeout: 60,
    // A request makes one attempt, so the pause between attempts is what the next request waits:
    // the default (up to 20 s) would hold up everybody long after the server is back.
    backoff: () => 0.05,
    // PgBouncer refuses start-up parameters that it does not know.
    connection: {
      application_name: 'errand',
      ...(prepare && { statement_timeout: STATEMENT_MS, lock_timeout: LOCK_MS }),
    },
    onnotice: () => {},
    fetch_types: false,
    types: {
      // Our bigints count bytes: they stay far below 2^53.
      bigint: { to: 20, from: [20], serialize: String, parse: Number },
      ...(arrayTypes as object),
    },
  });
}
