import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import JSZip from 'jszip';
import { inject } from 'vitest';
import { TOOLS } from './package-once.ts';
import { type RuntimeApi, serveRuntimeApi } from './runtime-api.ts';

/** One execution environment with a packaged function in it, under AWS's own runtime client. */
export interface Environment {
  readonly invoke: RuntimeApi['invoke'];
  /** From the start of Node until the runtime asks for the first event. */
  readonly initMs: number;
  /** What it has written to stdout and stderr, which Lambda makes its log. */
  log(): string;
  /** Resolves when the runtime has ended. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

export interface EnvironmentOptions {
  /** A folder with the unpacked zip. */
  readonly task: string;
  /** As in the template: `functions/create-task.handler`. */
  readonly handler: string;
  readonly variables?: Readonly<Record<string, string>>;
  readonly memoryMb?: number;
}

/**
 * Whom it runs as: root's environments as somebody else, each as a user of its own, because the
 * kernel counts the processes of a user.
 */
const uid = () => (process.getuid?.() === 0 ? 100_000 + randomInt(1_000_000) : 0);

/** Credentials that a hostile command would like to find: made up, and told apart easily. */
export const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'ASIAERRANDCANARYKEY1',
  AWS_SECRET_ACCESS_KEY: 'errand-canary-secret-access-key',
  AWS_SESSION_TOKEN: 'errand-canary-session-token',
};

/** https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html */
function lambdaVariables(api: string, { handler, memoryMb = 512 }: EnvironmentOptions) {
  const name = handler.replace('functions/', '').replace('.handler', '');
  return {
    ...CREDENTIALS,
    _HANDLER: handler,
    AWS_REGION: 'us-east-1',
    AWS_DEFAULT_REGION: 'us-east-1',
    AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs24.x',
    AWS_LAMBDA_FUNCTION_NAME: `errand-test-${name}`,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: `/aws/lambda/errand-test-${name}`,
    AWS_LAMBDA_LOG_STREAM_NAME: '2026/11/25/[$LATEST]0123456789abcdef0123456789abcdef',
    AWS_LAMBDA_RUNTIME_API: api,
    LAMBDA_TASK_ROOT: '/mnt/task',
    LAMBDA_RUNTIME_DIR: '/mnt/client',
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    PATH: '/usr/local/bin:/usr/bin:/bin',
  };
}

/** Starts it, and resolves when it is initialised. @throws what its log says when it is not */
export async function startEnvironment(options: EnvironmentOptions): Promise<Environment> {
  const api = await serveRuntimeApi();
  const namespaces = ['--mount', '--ipc', '--pid', '--fork', '--kill-child', '--mount-proc'];
  const user = uid();
  const child = spawn(
    'unshare',
    [
      ...(user === 0 ? ['--user', '--map-root-user'] : []),
      ...namespaces,
      join(import.meta.dirname, 'environment/enter.sh'),
      ...[options.task, process.execPath, TOOLS, inject('denials'), String(user), options.handler],
    ],
    {
      env: { ...lambdaVariables(api.address, options), ...options.variables },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      log += bytes.toString();
    });
  }
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  void ended.then(() =>
    api.lost(new Error(`the runtime ended (${child.exitCode}): ${log.slice(-2000)}`)),
  );
  let initialisedAt = 0;
  try {
    await api.initialised;
    initialisedAt = Date.now();
  } catch (error) {
    await end(child, ended);
    await api.close();
    throw error;
  }
  return {
    invoke: api.invoke,
    initMs: initialisedAt - Number(/started at (\d+)/.exec(log)?.[1]),
    log: () => log,
    ended,
    async close() {
      await end(child, ended);
      await api.close();
    },
  };
}

async function end(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGKILL'); // unshare takes the whole namespace along
  await ended;
}

/** Unpacks the zip of a function as Lambda does, with the modes in it. Goes with the packages. */
export async function unpack(name: string): Promise<string> {
  const task = await mkdtemp(join(inject('packaged'), `${name}-`));
  await chmod(task, 0o755);
  const zip = await JSZip.loadAsync(await readFile(join(inject('packaged'), `${name}.zip`)));
  for (const entry of Object.values(zip.files).filter(({ dir }) => !dir)) {
    const path = join(task, entry.name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await entry.async('nodebuffer'));
    await chmod(path, Number(entry.unixPermissions) & 0o777);
  }
  return task;
}
