/**
 * Resolves with the first error that nobody handles, and keeps it from ending this process: what
 * was started is to be stopped first. Later ones are dropped, since they come of the stopping.
 */
export function untilUnexpected(): Promise<Error> {
  return new Promise((resolve) => {
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
      process.on(event, (cause: unknown) => {
        const error = cause instanceof Error ? cause : new Error(String(cause));
        resolve(new Error(`A mistake in errand: ${error.stack ?? error.message}`, { cause }));
      });
    }
  });
}
