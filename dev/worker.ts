import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LocalState } from './local-state.ts';
import { dyingWithParent } from './parent-death.ts';
import type { Part } from './supervisor.ts';

export interface WorkerOptions {
  readonly project: string;
  readonly state: LocalState;
  /** Settings of the worker, on top of our own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** `npm run worker`, for a queue that calls no function. It waits by itself for what it needs. */
export function workerPart(options: WorkerOptions): Part {
  return {
    name: 'worker',
    stopSignal: 'SIGTERM',
    stopGraceMs: 2800,
    launch: () => launch(options),
    ready: async (child, signal) => {
      await once(child, 'message', { signal });
      return 'takes messages from RabbitMQ';
    },
  };
}

function launch({ project, state, environment }: WorkerOptions): ChildProcess {
  const [file = '', ...args] = [
    ...dyingWithParent('SIGTERM'),
    process.execPath,
    join(project, 'scripts', 'worker.ts'),
  ];
  return spawn(file, args, {
    cwd: project,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: state.path('compile-cache'), // As for the functions.
      ...environment,
    },
  });
}
