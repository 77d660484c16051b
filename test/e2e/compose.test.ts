import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Composed, composed } from '../support/docker/composed.ts';
import { type Engine, startEngine, whyNoEngine } from '../support/docker/engine.ts';
import { makeImages } from '../support/docker/images.ts';
import { eventually } from '../support/eventually.ts';
import { anyPort } from './local-stack.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** What no log of a cold start may hold, in anybody's words; RabbitMQ's "0 servers failed" is none. */
const TROUBLE =
  /\b(error|fatal|panic|critical|exception|unhandled|(?<!0 servers )failed|econn\w*|enotfound)\b/i;

/** The profile on the command line, and what comes with it. */
const QUEUES = [
  {
    queue: 'localstack',
    profile: undefined,
    api: 'api',
    workers: ['api'],
    measured: ['api'],
    // The two servers in one go: what either of them lost is found half a minute later.
    killed: [['api'], ['localstack', 'postgres']],
  },
  {
    queue: 'rabbitmq',
    profile: 'rabbitmq',
    api: 'api-rabbitmq',
    workers: ['worker'],
    measured: ['api-rabbitmq', 'worker'],
    killed: [
      ['api-rabbitmq', 'worker'],
      ['rabbitmq', 'postgres'],
    ],
  },
];

/** A minute on an idle machine, nearly four at a load of 20 on two cores. */
const IMAGES_WITHIN_MS = 600_000;

/** In CI the programs are installed: there it is a failure when they are not. */
const missing = whyNoEngine();
const reason = missing ?? (await whyEngineFails());
if (reason !== undefined) console.log(`compose.test.ts runs no container: ${reason}`);

async function whyEngineFails(): Promise<string | undefined> {
  try {
    const engine = await startEngine();
    await engine.stop();
    return undefined;
  } catch (error) {
    return `no engine starts here: ${error instanceof Error ? error.message : error}`;
  }
}

describe('the compose files', () => {
  it.skipIf(missing !== undefined && !process.env.CI)('are what docker-compose takes', async () => {
    const files = ['docker-compose.localstack.yml', 'docker-compose.namespaces.yml'];
    for (const chosen of [files.slice(0, 1), files]) {
      for (const profiles of [['sqs'], ['rabbitmq'], ['sqs', 'monitoring']]) {
        const options = [
          ...chosen.flatMap((file) => ['--file', file]),
          ...profiles.flatMap((profile) => ['--profile', profile]),
        ];
        await run('docker-compose', [...options, 'config', '--quiet'], { cwd: PROJECT });
      }
    }
  });
});

describe.skipIf(reason !== undefined)('errand in containers', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await startEngine();
    await makeImages(engine);
  }, IMAGES_WITHIN_MS);
  afterAll(() => engine?.stop());

  describe.each(QUEUES)('with $queue', ({ profile, api, queue, workers, measured, killed }) => {
    let errand: Composed;

    beforeAll(async () => {
      // So that a task whose worker is killed is soon taken for lost.
      const settings = {
        LEASE_SECONDS: '3',
        RABBITMQ_MANAGEMENT_PORT: String(await anyPort()),
        PROMETHEUS_PORT: String(await anyPort()),
      };
      errand = await composed(engine, settings, profile);
    });
    afterAll(async () => {
      await errand?.compose('down', '--volumes');
    });

    it('starts from nothing, without a line of trouble in any log', async () => {
      await errand.compose('up', '--build', '-d');
      await errand.ready();
      await errand.succeeds(await errand.create('echo hello'));
      const lines = (await errand.compose('logs', '--no-color')).split('\n');
      expect(lines.filter((line) => TROUBLE.test(line))).toEqual([]);
    });

    it('runs commands in the sandbox that an unmodified container allows', async () => {
      const { attempts } = await errand.succeeds(await errand.create('echo hello'));
      expect(attempts).toMatchObject([{ sandboxTier: 'landlock' }]);
    });

    it.each(workers)(
      'runs them in a container, %s, without root, that can write to its tmpfs alone',
      async (service) => {
        const script = 'id -u; grep CapEff /proc/self/status; touch /errand/x /x 2>&1 || true';
        expect(await errand.docker('exec', errand.container(service), 'sh', '-c', script)).toBe(
          '1000\nCapEff:\t0000000000000000\n' +
            "touch: cannot touch '/errand/x': Read-only file system\n" +
            "touch: cannot touch '/x': Read-only file system\n",
        );
        const { HostConfig } = await errand.inspect(errand.container(service));
        expect(HostConfig.ReadonlyRootfs).toBe(true);
      },
    );

    it('is reached from this machine alone, by its own names', async () => {
      const { HostConfig } = await errand.inspect(errand.container(api));
      expect(HostConfig.PortBindings).toMatchObject({ '3500/tcp': [{ HostIp: '127.0.0.1' }] });
      const { stdout } = await run('curl', [
        ...['--silent', '--output', '/dev/null', '--write-out', '%{http_code}'],
        ...['--header', 'Host: evil.example', `${errand.url}/api/tasks`],
      ]);
      expect(stdout).toBe('421');
    });

    it('tells its metrics to the Prometheus of the profile', async () => {
      const monitoring = ['--profile', profile ?? 'sqs', '--profile', 'monitoring'];
      await errand.compose(...monitoring, 'up', '-d', 'prometheus');
      const { HostConfig } = await errand.inspect(errand.container('prometheus'));
      expect(HostConfig.ReadonlyRootfs).toBe(true);
      const [binding] = HostConfig.PortBindings['9090/tcp'] ?? [];
      expect(binding?.HostIp).toBe('127.0.0.1');
      await eventually(async () => {
        const { State } = await errand.inspect(errand.container('prometheus'));
        expect(State.Health?.Status).toBe('healthy');
        const asked = `http://127.0.0.1:${binding?.HostPort}/api/v1/query?query=up{job="errand"}`;
        const { data } = (await (await fetch(asked)).json()) as {
          data: { result: { metric: { service: string }; value: [number, string] }[] };
        };
        const up = data.result.map(({ metric, value }) => [metric.service, value[1]]);
        expect(up.sort()).toEqual(measured.map((service) => [service, '1']));
      }, 90_000);
      await errand.compose(...monitoring, 'rm', '--stop', '--force', 'prometheus');
    });

    it.each(killed.map((services) => ({ services })))(
      'loses no task when $services is killed while they run',
      async ({ services }) => {
        const ids: string[] = [];
        for (let index = 0; index < 12; index += 1) {
          ids.push(await errand.create('sleep 0.3; echo hello'));
        }
        for (const service of services) await errand.crash(errand.container(service));
        for (const id of ids) await errand.succeeds(id, 60_000);
        await eventually(async () => errand.succeeds(await errand.create('echo hello')), 30_000);
      },
    );

    it('waits for servers that come later, as after a restart of the machine', async () => {
      await errand.compose('stop');
      const since = new Date().toISOString();
      const ours = [...new Set([api, ...workers])].map((service) => errand.container(service));
      await errand.docker('start', ...ours);
      const logs = async () =>
        (await Promise.all(ours.map((name) => errand.logs(name, since)))).join();
      await eventually(async () => expect(await logs()).toMatch(/sandbox|waits for/), 20_000);
      await errand.docker('start', errand.container(queue), errand.container('postgres'));
      await errand.ready();
      await errand.succeeds(await errand.create('echo hello'), 30_000);
      // Why one waits is no trouble.
      const lines = (await logs()).split('\n').filter((line) => !line.includes('"level":"info"'));
      expect(lines.filter((line) => TROUBLE.test(line))).toEqual([]);
    });

    it('keeps its tasks over down and up, and forgets them with down --volumes', async () => {
      const id = await errand.create('echo hello');
      await errand.succeeds(id);
      await errand.compose('down');
      await errand.compose('up', '-d');
      await errand.ready();
      await errand.succeeds(id);

      await errand.compose('down', '--volumes');
      await errand.compose('up', '-d');
      await errand.ready();
      expect((await fetch(`${errand.url}/api/tasks/${id}`)).status).toBe(404);
    });

    if (profile === undefined) return;

    it('runs tasks in as many workers as are asked for', async () => {
      await errand.compose('up', '-d', '--scale', 'worker=3');
      const names = [1, 2, 3].map((number) => errand.container('worker', number));
      await eventually(async () => {
        for (const name of names) {
          expect((await errand.inspect(name)).State.Health?.Status).toBe('healthy');
        }
      }, 60_000);
      const ids: string[] = [];
      for (let index = 0; index < 30; index += 1) {
        ids.push(await errand.create('sleep 0.3; echo hello'));
      }
      await errand.crash(errand.container('worker', 2));
      for (const id of ids) await errand.succeeds(id, 60_000);
      for (const name of names) expect(await errand.logs(name)).toContain('"msg":"execute-task"');
    });

    it('shows the page of the broker on this machine alone', async () => {
      const { HostConfig } = await errand.inspect(errand.container(queue));
      const [binding] = HostConfig.PortBindings['15672/tcp'] ?? [];
      expect(binding?.HostIp).toBe('127.0.0.1');
      const page = await fetch(`http://127.0.0.1:${binding?.HostPort}/`);
      expect(await page.text()).toContain('RabbitMQ Management');
    });
  });

  it('asks for API keys where it is told to', async () => {
    const asking = await composed(engine, { AUTH: 'keys' });
    await asking.compose('up', '-d');
    await asking.ready();
    const list = (key: string) =>
      fetch(`${asking.url}/api/tasks`, { headers: { authorization: `Bearer ${key}` } });
    expect((await list('')).status).toBe(401);
    const create = ['scripts/keys.ts', 'create', '--name', 'me'];
    const said = await asking.compose('exec', '-T', 'api', 'node', ...create);
    expect((await list(/errand_[\w-]+/.exec(said)?.[0] ?? said)).status).toBe(200);
    await asking.compose('down', '--volumes');
  });

  it('runs commands in namespaces where its container may make them', async () => {
    const { docker } = await composed(engine, {});
    const probe = (...options: string[]) =>
      docker(
        ...['run', '--rm', '--network=none', '--init', '--read-only', '--cap-drop=ALL'],
        ...['--tmpfs=/tmp:exec', '--security-opt=no-new-privileges', ...options],
        ...['errand', 'node', 'scripts/sandbox-probe.ts'],
      );
    const allowed = ['seccomp=native/docker-seccomp.json', 'systempaths=unconfined'];
    expect(await probe(...allowed.map((option) => `--security-opt=${option}`))).toContain(
      'Commands run in: namespaces',
    );
    expect(await probe()).toContain('Commands run in: landlock');
  });
});
