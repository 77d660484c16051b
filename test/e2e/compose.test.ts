import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Composed, composed } from '../support/docker/composed.ts';
import { type Engine, startEngine, whyNoEngine } from '../support/docker/engine.ts';
import { makeImages } from '../support/docker/images.ts';
import { eventually } from '../support/eventually.ts';

const run = promisify(execFile);
const PROJECT = fileURLToPath(new URL('../../', import.meta.url));

/** What no log of a cold start may hold, in anybody's words. */
const TROUBLE = /\b(error|fatal|panic|critical|exception|unhandled|failed|econn\w*|enotfound)\b/i;

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
      const options = chosen.flatMap((file) => ['--file', file]);
      await run('docker-compose', [...options, 'config', '--quiet'], { cwd: PROJECT });
    }
  });
});

describe.skipIf(reason !== undefined)('errand in containers', () => {
  let engine: Engine;
  let errand: Composed;

  beforeAll(async () => {
    engine = await startEngine();
    await makeImages(engine);
    // So that a task whose worker is killed is soon taken for lost.
    errand = await composed(engine, { LEASE_SECONDS: '3' });
  }, IMAGES_WITHIN_MS);
  afterAll(async () => {
    await errand?.compose('down', '--volumes');
    await engine?.stop();
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

  it('is a container without root, that can write to nothing but its tmpfs', async () => {
    const api = errand.container('api');
    const script = 'id -u; grep CapEff /proc/self/status; touch /errand/x /x 2>&1 || true';
    expect(await errand.docker('exec', api, 'sh', '-c', script)).toBe(
      '1000\nCapEff:\t0000000000000000\n' +
        "touch: cannot touch '/errand/x': Read-only file system\n" +
        "touch: cannot touch '/x': Read-only file system\n",
    );
    const { HostConfig } = await errand.inspect(api);
    expect(HostConfig.ReadonlyRootfs).toBe(true);
  });

  it('is reached from this machine alone, by its own names', async () => {
    const { HostConfig } = await errand.inspect(errand.container('api'));
    expect(HostConfig.PortBindings).toMatchObject({ '3500/tcp': [{ HostIp: '127.0.0.1' }] });
    const { stdout } = await run('curl', [
      ...['--silent', '--output', '/dev/null', '--write-out', '%{http_code}'],
      ...['--header', 'Host: evil.example', `${errand.url}/api/tasks`],
    ]);
    expect(stdout).toBe('421');
  });

  // The two servers in one go: what either of them lost is found half a minute later.
  it.each([{ killed: ['api'] }, { killed: ['localstack', 'postgres'] }])(
    'loses no task when $killed is killed while they run',
    async ({ killed }) => {
      const ids: string[] = [];
      for (let index = 0; index < 12; index += 1) {
        ids.push(await errand.create('sleep 0.3; echo hello'));
      }
      for (const service of killed) await errand.crash(errand.container(service));
      for (const id of ids) await errand.succeeds(id, 60_000);
      await eventually(async () => errand.succeeds(await errand.create('echo hello')), 30_000);
    },
  );

  it('waits for servers that come later, as after a restart of the machine', async () => {
    await errand.compose('stop');
    const since = new Date().toISOString();
    const api = errand.container('api');
    await errand.docker('start', api);
    const log = () => errand.logs(api, since);
    await eventually(async () => expect(await log()).toContain('sandbox'), 20_000);
    await errand.docker('start', errand.container('localstack'), errand.container('postgres'));
    await errand.ready();
    await errand.succeeds(await errand.create('echo hello'));
    expect((await log()).split('\n').filter((line) => TROUBLE.test(line))).toEqual([]);
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
  });

  it('runs commands in namespaces where its container may make them', async () => {
    const probe = (...options: string[]) =>
      errand.docker(
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
