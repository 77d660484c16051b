import { isQuery } from './query-deadline.ts';

/** Hears that a statement is sent, and, by what it returns, that it was answered or failed. */
export type ObserveStatement = (name: string) => (error?: unknown) => void;

/** Of a statement that says no name. */
const UNNAMED = 'unnamed';

/**
 * Tells of a statement under the name with which its text begins, as in `/* claimTask *\/ update`.
 * It stands in Postgres's own views, too: pg_stat_activity and pg_stat_statements.
 */
export function observeQuery(
  promise: unknown,
  text: TemplateStringsArray | string,
  observe: ObserveStatement,
): void {
  if (!isQuery(promise)) return;
  const send = promise.handler;
  promise.handler = (query) => {
    const { resolve, reject } = query;
    const answered = observe(nameOf(text));
    query.resolve = (rows) => {
      answered();
      resolve(rows);
    };
    query.reject = (error) => {
      answered(error);
      reject(error);
    };
    send(query);
  };
}

function nameOf(text: TemplateStringsArray | string): string {
  const [start = ''] = typeof text === 'string' ? [text] : text;
  return /^\s*\/\* (\w+) \*\//.exec(start)?.[1] ?? UNNAMED;
}
