import { isQuery } from './query-deadline.ts';

/** Fields of Postgres that repeat what a row, or a parameter, holds: a command, or its environment. */
const REPEATING = ['detail', 'where', 'internal_query'];

/** Class 22, data exception, repeats the value in its message: `invalid input syntax for type uuid: "..."`. */
const DATA_EXCEPTION = /^22/;

/** Has a query fail with errors that tell no values, to whomever they come, be it Lambda's own log. */
export function hideValues(promise: unknown): void {
  if (!isQuery(promise)) return;
  const send = promise.handler;
  promise.handler = (query) => {
    const { reject } = query;
    query.reject = (error) => {
      if (error instanceof Error && error.name === 'PostgresError') forgetValues(error);
      reject(error);
    };
    send(query);
  };
}

function forgetValues(error: Error & { readonly code?: string }): void {
  for (const field of REPEATING) Reflect.deleteProperty(error, field);
  if (!DATA_EXCEPTION.test(error.code ?? '')) return;
  const { message, stack } = error;
  error.message = message.replace(/".*"/s, '"..."');
  // postgres.js has made it read-only.
  const value = stack?.replace(message, error.message);
  Reflect.defineProperty(error, 'stack', { value });
}
