/** Signals arrive twice when both the terminal and `npm` deliver them: within this time, it is one. */
const SAME_REQUEST_MS = 500;
const PARENT_CHECK_MS = 500;

export interface StopRequests {
  /** The first Ctrl-C, SIGTERM or SIGHUP, or the death of the bootstrap that started us. */
  readonly requested: Promise<undefined>;
  /** A later one: the user does not want to wait. */
  readonly again: Promise<undefined>;
}

/**
 * Watches for requests to stop. `bootstrapPid` is the process between the user and us: `npm` kills
 * it without telling us, and we would go on unseen.
 */
export function watchStopRequests(
  bootstrapPid = Number(process.env.ERRAND_BOOTSTRAP_PID),
): StopRequests {
  const requested = Promise.withResolvers<undefined>();
  const again = Promise.withResolvers<undefined>();
  let firstAt: number | undefined;

  const request = () => {
    firstAt ??= Date.now();
    requested.resolve(undefined);
    if (Date.now() - firstAt > SAME_REQUEST_MS) again.resolve(undefined);
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, request);
  // The terminal may be gone with the request; what is written to it then goes nowhere.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});

  if (process.ppid === bootstrapPid) {
    const watch = setInterval(() => {
      if (process.ppid === bootstrapPid) return;
      clearInterval(watch);
      request();
    }, PARENT_CHECK_MS);
  }
  return { requested: requested.promise, again: again.promise };
}
