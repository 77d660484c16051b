import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { LocalState } from './local-state.ts';
import { setDamagedQueueAside } from './queue-data.ts';
import type { Part } from './supervisor.ts';

const ANSWERS_WITHIN_MS = 60_000;

/**
 * The SQS emulator of the local stack. It keeps its port and its messages when it is restarted;
 * `note` hears when it could not read them.
 */
export function emulatorPart(
  state: LocalState,
  port: number,
  note: (message: string) => void = () => {},
): Part {
  const endpoint = emulatorEndpoint(port);
  return {
    name: 'queue',
    stopSignal: 'SIGTERM',
    stopGraceMs: 700,
    launch: () => {
      const damage = setDamagedQueueAside(state.path('sqs'));
      if (damage !== undefined) {
        note(
          `the queue's data is damaged (${damage}): moved to .errand/sqs.damaged. No task is lost: ` +
            'they are in Postgres, and their messages are sent again.',
        );
      }
      return launch(state, port);
    },
    ready: async (_child, signal) => {
      while (!(await answers(`${endpoint}/health`))) {
        signal.throwIfAborted();
        await sleep(25);
      }
      return `${endpoint}, data in .errand/sqs`;
    },
  };
}

function launch(state: LocalState, port: number): ChildProcess {
  return spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      fileURLToPath(new URL('sqs-emulator.ts', import.meta.url)),
      String(port),
      state.path('sqs'),
    ],
    { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] },
  );
}

export function emulatorEndpoint(port: number): string {
  return `http://127.0.0.1:${port}`;
}

/**
 * Waits for an emulator that somebody else starts, which may come later than we do. Answers where.
 * @throws after a minute
 */
export async function emulatorAnswers(endpoint: string): Promise<string> {
  const deadline = AbortSignal.timeout(ANSWERS_WITHIN_MS);
  for (;;) {
    // Whatever it says to this: it is there.
    const error = await fetch(endpoint, { signal: deadline }).then(
      (response) => response.body?.cancel(),
      (error: unknown) => error,
    );
    if (error === undefined) return endpoint;
    if (deadline.aborted) {
      throw new Error(`SQS_ENDPOINT ${endpoint} does not answer.`, { cause: error });
    }
    await sleep(200);
  }
}

async function answers(url: string): Promise<boolean> {
  return fetch(url).then(
    (response) => response.ok,
    () => false,
  );
}
