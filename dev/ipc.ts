/** What `npm start` tells the process that serves the functions. */
export interface DependenciesReady {
  readonly kind: 'dependencies ready';
}

/** What that process answers once functions can be invoked. */
export interface Serving {
  readonly kind: 'serving';
  /** Environment variables that name the queues, for scripts that use the running stack. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Resolves when `npm start` says so; at once when we were started by hand. */
export async function dependenciesReady(): Promise<void> {
  if (process.send === undefined) return;
  await new Promise<void>((resolve) => {
    process.once('message', (_message: DependenciesReady) => resolve());
  });
}

export function tellStarter(message: Serving): void {
  process.send?.(message);
}

/** Ends this process when its parent is gone, however that died: nothing may outlive a start. */
export function exitWithParent(): void {
  if (process.send === undefined) return;
  if (!process.connected) process.exit(1);
  process.once('disconnect', () => process.exit(1));
}
