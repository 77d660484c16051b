/**
 * Remembers what `open` resolves to. A failure is forgotten, so that the next call tries again:
 * a Lambda environment must not be spoilt by a database that was late at its start.
 */
export function once<T>(open: () => T | Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= (async () => open())().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
