/** The part of a query of postgres.js 3.4.9 that a deadline needs. */
interface Query extends Promise<unknown> {
  /** Set once a connection has it. */
  readonly state: object | null;
  /** The server works on it; false while the connection has others to do before. */
  readonly active: boolean;
  handler: (query: Query) => void;
  resolve: (rows: unknown) => void;
  reject: (error: unknown) => void;
  cancel(): void;
}

/** How exactly a deadline is kept: as many looks are taken until then. */
const LOOKS = 4;

/**
 * Gives a query `deadlineMs` in the pool's line, as long behind another one that its connection was
 * given before (no statement takes longer), and as long at the server. postgres.js has no
 * time-out for either, and TCP gives up a server that vanished after 15 minutes only. It also loses
 * a query now and then, when the connection is reset in the instant in which the query gets it
 * (https://github.com/porsager/postgres/pull/1215), and that query would stay pending for ever.
 * `broken` is called when the query's pool is to be used no more.
 */
export function keepDeadline(promise: unknown, deadlineMs: number, broken: () => void): void {
  if (!isQuery(promise)) return;
  const send = promise.handler;
  promise.handler = (query) => {
    const { resolve, reject } = query;
    const lookMs = deadlineMs / LOOKS;
    const spentMs = { inLine: 0, behindOthers: 0, active: 0 };
    let timer = setTimeout(look, lookMs);

    function look() {
      const where = query.active ? 'active' : query.state ? 'behindOthers' : 'inLine';
      spentMs[where] += lookMs;
      if (spentMs[where] <= deadlineMs) {
        timer = setTimeout(look, lookMs);
      } else if (where === 'inLine') {
        query.cancel(); // It leaves the line, as 57014.
      } else {
        broken();
        query.reject(new DatabaseSilent(deadlineMs));
      }
    }

    query.resolve = (rows) => {
      clearTimeout(timer);
      resolve(rows);
    };
    query.reject = (error) => {
      clearTimeout(timer);
      if (isSpoilt(error)) broken();
      reject(error);
    };
    send(query);
  };
}

/** Fragments and helpers such as `sql(ids)` are no queries, or are never handled on their own. */
export function isQuery(value: unknown): value is Query {
  return value instanceof Promise && 'handler' in value && 'cancel' in value;
}

/**
 * Codes after which a connection may be spoilt for good (https://github.com/porsager/postgres/pull/1209),
 * or give a query the rows of another one (see quiet-socket.ts; over TLS it is not our socket that
 * tells of a reset). Should the server just be out of reach, then a new pool does no harm.
 */
const SPOILT = new Set(['CONNECT_TIMEOUT', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT']);

function isSpoilt(error: unknown): boolean {
  return error instanceof Error && 'code' in error && SPOILT.has(String(error.code));
}

/** The server was asked and did not answer in time. */
class DatabaseSilent extends Error {
  override readonly name = 'DatabaseSilent';
  readonly code = 'CONNECTION_CLOSED';

  constructor(deadlineMs: number) {
    super(`The database has not answered for ${deadlineMs / 1000} s; the connection is given up.`);
  }
}
