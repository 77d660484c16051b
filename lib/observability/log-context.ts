import { AsyncLocalStorage } from 'node:async_hooks';

/** What every line that is logged meanwhile has in common: a request's id, a task's. */
export type LogContext = Readonly<Record<string, string | number>>;

const storage = new AsyncLocalStorage<LogContext>();

/** Runs `work` so that each line that it logs carries the fields as well, also after an await. */
export function inLogContext<T>(fields: LogContext, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...fields }, work);
}

export function logContext(): LogContext {
  return storage.getStore() ?? {};
}
