/**
 * Fires `graceMs` after SIGTERM: what runs then is to be given up. Installed once; the process is
 * left to its host to end.
 */
export function shutdownSignal(graceMs: number): AbortSignal {
  const shutdown = new AbortController();
  process.once('SIGTERM', () => {
    setTimeout(() => shutdown.abort(new Error('the worker shuts down')), graceMs).unref();
  });
  return shutdown.signal;
}
