import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sendSignal } from '../../dev/processes.ts';
import { eventually } from '../support/eventually.ts';
import { anyPort, type Checkout, checkOut, type Start } from './local-stack.ts';

const run = promisify(execFile);

/** The requests of the prototype that this grew out of, as its README gave them. */
const ORIGINAL_REQUESTS = {
  list: `curl --request GET \\
  --url http://localhost:3500/api/tasks \\
  --header 'User-Agent: Insomnia/2023.5.6'`,
  get: `curl --request GET \\
  --url 'http://localhost:3500/api/tasks/894d26d1-3e2a-4abb-9641-37d087b3d31d?id=e144c0ef-96c2-4f7d-8425-726134f152e9' \\
  --header 'Content-Type: application/json' \\
  --header 'User-Agent: Insomnia/2023.5.6'`,
  create: `curl --request POST \\
  --url http://localhost:3500/api/tasks \\
  --header 'Content-Type: application/json' \\
  --header 'User-Agent: Insomnia/2023.5.6' \\
  --data '{
  "command": "echo hello"
}'`,
};

describe('npm start', () => {
  let checkout: Checkout;
  let port: number;
  let stack: Start;

  beforeAll(async () => {
    checkout = await checkOut();
    port = await anyPort();
    stack = checkout.start(port);
    await stack.ready();
  });
  afterAll(() => checkout.remove());

  /** Runs a request of the original README in a shell, on our port. */
  async function shell(request: string) {
    const { stdout } = await run('sh', [
      '-c',
      request.replace('localhost:3500', `localhost:${port}`),
    ]);
    return JSON.parse(stdout);
  }

  async function request(path: string, init?: RequestInit) {
    const response = await fetch(`${stack.url}${path}`, init);
    return { status: response.status, body: JSON.parse(await response.text()) };
  }

  async function create(command: string): Promise<string> {
    const { status, body } = await request('/api/tasks', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command }),
    });
    expect(status, JSON.stringify(body)).toBe(202);
    return body.id;
  }

  const succeeds = (id: string, deadlineMs = 15_000) =>
    eventually(async () => {
      const { body } = await request(`/api/tasks/${id}`);
      expect(body).toMatchObject({ status: 'succeeded', exitCode: 0, stdout: 'hello\n' });
    }, deadlineMs);

  it('serves the first README\'s "get all"', async () => {
    expect(await shell(ORIGINAL_REQUESTS.list)).toMatchObject({ items: [] });
  });

  it('serves the first README\'s "get at"', async () => {
    expect(await shell(ORIGINAL_REQUESTS.get)).toMatchObject({
      status: 404,
      code: 'task_not_found',
    });
  });

  it('serves the first README\'s "add task", and runs it', async () => {
    const created = await shell(ORIGINAL_REQUESTS.create);
    expect(created).toMatchObject({ command: 'echo hello', status: 'queued' });
    await succeeds(created.id);
  });

  it('is refused while it runs', async () => {
    const second = checkout.start(await anyPort());
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain('errand is running from this directory already (process ');
    expect(second.output()).toContain(stack.url);
  });

  it.each(['postgres', 'queue', 'functions'])('heals when its %s is killed', async (part) => {
    const before = await create('echo hello');
    await succeeds(before);
    process.kill(await checkout.pidOf(part), 'SIGKILL');

    await eventually(async () => succeeds(await create('echo hello')), 30_000);
    await succeeds(before);
    expect(stack.output()).toMatch(new RegExp(`^ +${part} +restarts`, 'm'));
  });

  it('shows no line of a part that is no message of ours', () => {
    const ours = /^$|^> |^errand|^ {2,}/;
    expect(
      stack
        .output()
        .split('\n')
        .filter((line) => !ours.test(line)),
    ).toEqual([]);
  });

  it('stops within 5 s of SIGTERM and leaves no process', async () => {
    stack.child.kill('SIGTERM');
    await eventually(async () => expect(await checkout.processes()).toEqual([]), 5000);
  });

  it('has its data after every process was killed', async () => {
    stack = checkout.start(port);
    await stack.ready();
    const before = await create('echo hello');
    await succeeds(before);
    for (const pid of await checkout.processes()) sendSignal(pid, 'SIGKILL');

    stack = checkout.start(port);
    await stack.ready();
    await succeeds(before);
    await succeeds(await create('echo hello'));
  });

  it('leaves no process when its supervisor alone is killed', async () => {
    process.kill(await checkout.pidOf('supervisor'), 'SIGKILL');
    await eventually(async () => expect(await checkout.processes()).toEqual([]), 5000);
  });

  it('says how to take another port when its own is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port: taken } = other.address() as AddressInfo;
    const start = checkout.start(taken);
    expect(await start.ended).toBe(1);
    expect(start.output()).toContain(`Port ${taken} is taken by another program.`);
    expect(start.output()).toContain(`PORT=${taken + 1} npm start`);
    other.close();
  });
});
