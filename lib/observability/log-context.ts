import { AsyncLocalStorage } from 'node:async_hooks';

/** What every line that is logged meanwhile has in common: a request's id, a task's. */
export type LogContext = Readonly<Record<string, string | number>>;

const storage = new AsyncLocalStorage<Record<string, string | number>>();

/** Runs `work` so that each line that it logs carries the fields as well, also after an await. */
export function inLogContext<T>(fields: LogContext, work: () => T): T {
  return storage.run({ ...storage.getStore(), ...fields }, work);
}

/** The same for what is known only later: the lines from now on, those of the callers included. */
export function addToLog(fields: LogContext): void {
  Object.assign(storage.getStore() ?? {}, fields);
}

/** For what serves many at once: its lines are of none of them, whoever happened to begin it. */
export function outsideLogContext<T>(work: () => T): T {
  return storage.run({}, work);
}

export function logContext(): LogContext {
  return storage.getStore() ?? {};
}
