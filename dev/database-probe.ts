import postgres from 'postgres';

/**
 * Asks a database that may not be there yet, on a connection of its own.
 *
 * Array types are not fetched: when the server dies in the middle of that, postgres.js 3.4.9 connects
 * again, and a refusal rejects the fetching query, which nobody awaits: the process would end.
 */
export async function askOnce<T>(
  url: string,
  connectSeconds: number,
  question: (sql: postgres.Sql) => Promise<T>,
): Promise<T> {
  const sql = postgres(url, { max: 1, connect_timeout: connectSeconds, fetch_types: false });
  try {
    return await question(sql);
  } finally {
    await sql.end({ timeout: 0 });
  }
}
