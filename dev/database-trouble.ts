/** Why a database does not let us in, and what helps; for people, and without its password. */
export interface DatabaseTrouble {
  readonly why: string;
  readonly remedy: string;
  /** Waiting does not help: it answers, and refuses us. */
  readonly isFinal: boolean;
}

const NO_SUCH_NAME = { why: 'its name does not resolve', remedy: 'Is the host right?' };
const NO_WAY = {
  why: 'there is no way to it',
  remedy: 'Is the host right, and does a firewall let this machine through?',
};
const NO_ANSWER = {
  why: 'nothing answers there',
  remedy: 'Are host and port right, and does a firewall let this machine through?',
};

const NO_POSTGRES = {
  why: 'what listens there does not answer as Postgres does',
  remedy: 'Does Postgres run there, and behind a proxy if that is one?',
};

/** By code of Node, of postgres.js, and of Postgres. */
const TROUBLES: Readonly<Record<string, Pick<DatabaseTrouble, 'why' | 'remedy'>>> = {
  ECONNREFUSED: {
    why: 'the connection is refused',
    remedy: 'Does Postgres run there, and listen on that address and port?',
  },
  ENOTFOUND: NO_SUCH_NAME,
  EAI_AGAIN: NO_SUCH_NAME,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  ETIMEDOUT: NO_ANSWER,
  CONNECT_TIMEOUT: NO_ANSWER,
  CONNECTION_CLOSED: NO_POSTGRES,
  CONNECTION_DESTROYED: NO_POSTGRES,
  '28P01': { why: 'it refuses the password', remedy: 'Are user and password right?' },
  '28000': {
    why: 'it refuses the user',
    remedy: 'Is the user right, and does its pg_hba.conf let this machine in?',
  },
  '3D000': { why: 'it has no such database', remedy: 'Make it (createdb), or name another one.' },
};

export function troubleOf(error: unknown): DatabaseTrouble {
  const { code = '', message } = error as { code?: string; message?: string };
  const known = TROUBLES[code] ?? { why: message ?? String(error), remedy: 'Is it right?' };
  return { ...known, isFinal: /^(28|3D)/.test(code) };
}

/** `db.example:5432 (user app, database errand)`. */
export function placeOf(databaseUrl: string): string {
  const { hostname, port, username, pathname } = new URL(databaseUrl);
  const who = [
    ...(username ? [`user ${decodeURIComponent(username)}`] : []),
    ...(pathname.length > 1 ? [`database ${decodeURIComponent(pathname.slice(1))}`] : []),
  ];
  const place = `${hostname || 'localhost'}:${port || 5432}`;
  return who.length > 0 ? `${place} (${who.join(', ')})` : place;
}
