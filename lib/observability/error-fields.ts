/** What the log holds of an error. */
interface ErrorFields {
  readonly type: string;
  readonly message: string;
  readonly stack?: string | undefined;
  readonly code?: string;
  /** Which constraint of the database was violated. */
  readonly constraint?: string;
  readonly cause?: unknown;
}

/**
 * What may be told of an error. Not whatever it carries: a spawn's error has all arguments of the
 * program, one of Postgres the row that it refused, one of a client the request with its headers.
 */
export function errorFields(error: unknown): ErrorFields | string {
  if (!(error instanceof Error)) return typeof error === 'string' ? error : typeof error;
  const { name: type, message, stack, cause } = error;
  const code = textOf(error, 'code');
  const constraint = textOf(error, 'constraint_name');
  return {
    type,
    message,
    stack,
    ...(code !== undefined && { code }),
    ...(constraint !== undefined && { constraint }),
    ...(cause !== undefined && { cause: errorFields(cause) }),
  };
}

function textOf(error: Error, name: string): string | undefined {
  const value: unknown = Reflect.get(error, name);
  return value === undefined ? undefined : String(value);
}
