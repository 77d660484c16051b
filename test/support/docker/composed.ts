import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { freePort } from '../../../dev/ports.ts';
import { eventually } from '../eventually.ts';
import type { Engine } from './engine.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../../', import.meta.url));
const FILES = ['docker-compose.localstack.yml', 'test/support/docker/compose.yml'];

export interface Task {
  readonly id: string;
  readonly status: string;
  readonly attempts: readonly { readonly sandboxTier: string }[];
}

/** errand in containers, as somebody has it who follows the README. */
export interface Composed {
  readonly url: string;
  /** `docker-compose` with these arguments. Answers what it wrote to stdout. */
  compose(...args: string[]): Promise<string>;
  /** The same for `docker`. */
  docker(...args: string[]): Promise<string>;
  /** The container of a service; the one with this number when it was scaled. */
  container(service: string, number?: number): string;
  inspect(container: string): Promise<Container>;
  /** What a container wrote, to stdout and stderr, since an instant or ever. */
  logs(container: string, since?: string): Promise<string>;
  ready(): Promise<void>;
  create(command: string): Promise<string>;
  /** Resolves with the task once it has run and said hello. */
  succeeds(id: string, deadlineMs?: number): Promise<Task>;
  /** Kills the first process of a container, as a crash would, and awaits that it runs again. */
  crash(container: string): Promise<void>;
}

interface Container {
  readonly State: {
    readonly Pid: number;
    readonly Running: boolean;
    readonly StartedAt: string;
    readonly Health?: { readonly Status: string };
  };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly PortBindings: Readonly<
      Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>
    >;
  };
}

/**
 * With what the environment sets for the compose file, and on a port that nobody has; with the
 * profile that the command line names, else with that of `.env`.
 */
export async function composed(
  engine: Engine,
  settings: Readonly<Record<string, string>>,
  profile?: string,
): Promise<Composed> {
  const port = await freePort(undefined);
  const url = `http://localhost:${port}`;
  const env: NodeJS.ProcessEnv = {
    ...engine.env,
    COMPOSE_FILE: FILES.join(':'),
    PORT: String(port),
    ...settings,
  };
  const calling =
    (file: string) =>
    async (...args: string[]) => {
      const { stdout } = await run(file, args, {
        cwd: PROJECT,
        env,
        maxBuffer: 64 * 1024 * 1024,
      });
      return stdout;
    };
  const docker = calling('docker');
  const compose = calling('docker-compose');
  const chosen = profile === undefined ? [] : ['--profile', profile];

  async function inspect(name: string): Promise<Container> {
    const [found] = JSON.parse(await docker('inspect', name));
    return found;
  }

  async function request(path: string, init?: RequestInit) {
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, body: JSON.parse(await response.text()) };
  }

  return {
    url,
    compose: (...args) => compose(...chosen, ...args),
    docker,
    container: (service, number = 1) => `errand_${service}_${number}`,
    inspect,
    async logs(name, since) {
      const options = since === undefined ? [] : ['--since', since];
      const log = await run('docker', ['logs', ...options, name], { env });
      return log.stdout + log.stderr;
    },
    ready: () =>
      eventually(async () => expect((await request('/health/ready')).status).toBe(200), 60_000),
    async create(command) {
      const { status, body } = await request('/api/tasks', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ command }),
      });
      expect(status, JSON.stringify(body)).toBe(202);
      return body.id;
    },
    succeeds: (id, deadlineMs = 15_000) =>
      eventually(async () => {
        const { body } = await request(`/api/tasks/${id}`);
        expect(body).toMatchObject({ status: 'succeeded', stdout: 'hello\n' });
        return body;
      }, deadlineMs),
    async crash(name) {
      const { State: before } = await inspect(name);
      await engine.kill(before.Pid);
      await eventually(async () => {
        const { State: now } = await inspect(name);
        expect(now.Running && now.StartedAt !== before.StartedAt).toBe(true);
      }, 20_000);
    },
  };
}
