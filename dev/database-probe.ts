import postgres from 'postgres';

interface Patience {
  readonly connectSeconds: number;
  /** For connecting and answering together; as long as it takes when left out. */
  readonly answerSeconds?: number;
}

/**
 * Asks a database that may not be there yet, on a connection of its own.
 *
 * Where something takes connections and ends them at once (a proxy without a server behind it),
 * postgres.js 3.4.9 goes on connecting for ever: hence a limit of our own.
 *
 * Array types are not fetched: when the server dies in the middle of that, postgres.js 3.4.9 connects
 * again, and a refusal rejects the fetching query, which nobody awaits: the process would end.
 */
export async function askOnce<T>(
  url: string,
  { connectSeconds, answerSeconds }: Patience,
  question: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres(url, { max: 1, connect_timeout: connectSeconds, fetch_types: false });
  const impatience =
    answerSeconds && setTimeout(() => void sql.end({ timeout: 0 }), answerSeconds * 1000);
  try {
    return await question(sql);
  } finally {
    clearTimeout(impatience);
    await sql.end({ timeout: 0 });
  }
}
