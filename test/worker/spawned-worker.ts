import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { eventually } from '../support/eventually.ts';

const WORKER = fileURLToPath(new URL('../../scripts/worker.ts', import.meta.url));

interface Line {
  readonly level: string;
  readonly msg: string;
  readonly cause?: string;
}

/** `npm run worker`, less npm, as a process of its own. */
export interface SpawnedWorker {
  readonly child: ChildProcess;
  /** What it has logged so far. */
  readonly lines: readonly Line[];
  /** Resolves with its exit code; null when a signal ended it. */
  readonly ended: Promise<number | null>;
  logged(message: string): Promise<Line>;
}

export function spawnWorker(env: Readonly<Record<string, string>>): SpawnedWorker {
  const child = spawn(process.execPath, [WORKER], {
    stdio: ['ignore', 'inherit', 'pipe'],
    env: {
      PATH: process.env.PATH,
      QUEUE: 'rabbitmq',
      SANDBOX: 'unsafe-none',
      WORKER_CONCURRENCY: '4',
      ...env,
    },
  });
  const lines: Line[] = [];
  if (child.stderr) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      lines.push(line.startsWith('{') ? JSON.parse(line) : { level: 'error', msg: line });
    });
  }
  return {
    child,
    lines,
    ended: new Promise((resolve) => child.once('close', resolve)),
    logged: (message) =>
      eventually(() => {
        const line = lines.find(({ msg }) => msg === message);
        if (!line) expect(lines).toContainEqual(expect.objectContaining({ msg: message }));
        return line as Line;
      }, 30_000),
  };
}
