import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LocalState } from './local-state.ts';
import type { Part } from './supervisor.ts';

/** The SQS emulator of the local stack. It keeps its port and its messages when it is restarted. */
export function emulatorPart(state: LocalState, port: number): Part {
  const endpoint = emulatorEndpoint(port);
  return {
    name: 'queue',
    stopSignal: 'SIGTERM',
    stopGraceMs: 700,
    launch: () =>
      spawn(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          fileURLToPath(new URL('sqs-emulator.ts', import.meta.url)),
          String(port),
          state.path('sqs'),
        ],
        { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
      ),
    ready: async (_child, signal) => {
      while (!(await answers(`${endpoint}/health`))) {
        signal.throwIfAborted();
        await sleep(25);
      }
      return `${endpoint}, data in .errand/sqs`;
    },
  };
}

export function emulatorEndpoint(port: number): string {
  return `http://127.0.0.1:${port}`;
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}
