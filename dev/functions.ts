import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DependenciesReady, Serving } from './ipc.ts';
import type { LocalState } from './local-state.ts';
import { askReadiness } from './readiness.ts';
import { untilReplaced } from './socket-file.ts';
import type { Part } from './supervisor.ts';

/** Of sockaddr_un, less the final zero. */
const SOCKET_PATH_BYTES = 103;

const LAMBDA_SOCKET = 'lambda.sock';

const HEALTH_EVERY_MS = 100;

export interface FunctionsOptions {
  readonly project: string;
  readonly state: LocalState;
  readonly host: string;
  readonly port: number;
  /** Names under which the API answers, comma-separated; empty: any. */
  readonly allowedHosts: string;
  /** Settings of the functions, on top of our own environment. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Resolves when the database is migrated and the queue answers. */
  readonly dependencies: Promise<unknown>;
  readonly onServing: (serving: Serving) => void;
}

/**
 * HTTP, the worker and the schedules: serverless-offline with our plugin, in one process. It is
 * launched at once and waits inside for its dependencies, since loading takes it longest.
 */
export function functionsPart(options: FunctionsOptions): Part {
  const url = `http://${options.host}:${options.port}`;
  return {
    name: 'functions',
    stopSignal: 'SIGTERM',
    stopGraceMs: 2800,
    launch: () => launch(options),
    ready: async (child, signal) => {
      options.onServing(await serving(child, signal));
      await healthy(options, signal);
      return url;
    },
    broken: async (signal) => {
      await untilReplaced(options.state.path(LAMBDA_SOCKET), signal);
      return `lost its socket .errand/${LAMBDA_SOCKET}`;
    },
  };
}

function launch({ project, state, host, port, environment, dependencies }: FunctionsOptions) {
  const socket = lambdaSocket(state);
  const child = spawn(
    process.execPath,
    [
      createRequire(import.meta.url).resolve('serverless/bin/serverless.js'),
      ...['offline', 'start', '--stage', 'offline'],
      ...['--host', host, '--httpPort', String(port)],
      ...['--lambdaPort', socket],
    ],
    {
      cwd: project,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: {
        ...process.env,
        // Of serverless-offline's own lines (three for each request) only its errors are wanted.
        SLS_LOG_LEVEL: 'error',
        // Loading its hundreds of modules takes 1.3 s instead of 3.5 s from the second start on.
        NODE_COMPILE_CACHE: state.path('compile-cache'),
        // For SANDBOX=runner: where the worker invokes the function run-command.
        RUNNER_ENDPOINT: `unix:${socket}`,
        ...environment,
      },
    },
  );
  const go: DependenciesReady = { kind: 'dependencies ready' };
  void dependencies.then(
    () => child.connected && child.send(go),
    () => {},
  );
  return child;
}

/**
 * Functions are invoked past all checks of the HTTP API, so not on a port, which every user of the
 * machine could reach: on a socket in a directory that only we can enter. serverless-offline makes
 * the path absolute, and a deep project would pass the length that the system allows.
 */
function lambdaSocket(state: LocalState): string {
  const path = state.path(LAMBDA_SOCKET);
  rmSync(path, { force: true }); // A killed server leaves it behind, and listening would fail.
  return Buffer.byteLength(path) > SOCKET_PATH_BYTES && process.platform === 'linux'
    ? `/proc/self/cwd/.errand/${LAMBDA_SOCKET}`
    : path;
}

async function serving(child: ChildProcess, signal: AbortSignal): Promise<Serving> {
  const [message] = (await once(child, 'message', { signal })) as [Serving];
  return message;
}

/** The API itself says whether it reaches what it needs. @throws with its words when it never will. */
async function healthy(options: FunctionsOptions, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { status, body } = await askReadiness({ ...options, signal });
    if (status === 200) return;
    if (status !== 503) throw new Error(`/health/ready answered ${status}: ${body}`);
    await sleep(HEALTH_EVERY_MS, undefined, { signal });
  }
}
