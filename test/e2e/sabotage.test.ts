import { type ChildProcess, spawn } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { anyPort, type Checkout, checkOut, type Start } from './local-stack.ts';

/** What people and other programs do to a running stack, and to what it keeps. */
describe('npm start, sabotaged', () => {
  let checkout: Checkout;
  let port: number;
  let stack: Start;
  let bystander: ChildProcess | undefined;

  beforeAll(async () => {
    checkout = await checkOut();
    port = await anyPort();
    stack = checkout.start(port);
    await stack.ready();
  });
  afterAll(async () => {
    bystander?.kill();
    await checkout.remove();
  });

  const kept = (name: string) => join(checkout.directory, '.errand', name);
  const isReady = async () => (await fetch(`${stack.url}/health/ready`)).ok;

  async function create(): Promise<string> {
    const response = await fetch(`${stack.url}/api/tasks`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command: 'echo hello' }),
    });
    expect(response.status).toBe(202);
    return ((await response.json()) as { id: string }).id;
  }

  const succeeds = (id: string) =>
    eventually(async () => {
      const response = await fetch(`${stack.url}/api/tasks/${id}`);
      expect(await response.json()).toMatchObject({ status: 'succeeded' });
    }, 15_000);

  async function stop(): Promise<void> {
    stack.child.kill('SIGTERM');
    await stack.ended;
    await eventually(async () => expect(await checkout.processes()).toEqual([]));
  }

  it('is refused on another port while it runs, also when the lock was removed', async () => {
    await rm(kept('lock'));
    const second = checkout.start(await anyPort());
    expect(await second.ended).toBe(1);
    expect(second.output()).toContain('errand is running from this directory already (process ');
    expect(second.output()).toContain(stack.url);
    expect(await isReady()).toBe(true);
    await succeeds(await create());
  });

  it('starts the functions again when their socket was removed', async () => {
    await rm(kept('lambda.sock'));
    await eventually(() => {
      expect(stack.output()).toContain('lost its socket .errand/lambda.sock; starting it again');
    });
    await eventually(async () => succeeds(await create()), 30_000);
  });

  it('starts from damaged files, with its data, and signals nobody on their word', async () => {
    const before = await create();
    await succeeds(before);
    await stop();

    bystander = spawn('sleep', ['300']);
    await writeFile(kept('lock'), 'garbage '.repeat(1000));
    for (const suffix of ['-wal', '-shm'])
      await rm(kept(`sqs/fauxqs.db${suffix}`), { force: true });
    await writeFile(kept('sqs/fauxqs.db'), 'garbage '.repeat(1000));
    await writeFile(kept('ports.json'), '{"postgres": "abc"}');
    await writeFile(
      kept('running.json'),
      `{"pid": ${bystander.pid}, "parts": {"queue": null, "postgres": {"pid": ${bystander.pid}}}}`,
    );
    await rm(kept('postgres-password'));

    stack = checkout.start(port);
    await stack.ready();
    expect(stack.output()).toContain('moved to .errand/sqs.damaged. No task is lost');
    await succeeds(before);
    await succeeds(await create());
    expect(bystander.exitCode ?? bystander.signalCode).toBeNull();
    expect(await readFile(kept('lock'), 'utf8')).toBe('');
  });

  it('stops when a part keeps crashing before the others are ready', async () => {
    await stop();
    stack = checkout.start(port);
    // So that it is never ready, whatever the machine's speed.
    await eventually(async () => {
      const pid = await checkout.pidOf('functions');
      expect(await checkout.processes()).toContain(pid);
      process.kill(pid, 'SIGSTOP');
    }, 20_000);
    await eventually(() => expect(stack.output()).toMatch(/^ +migrations +ready/m), 60_000);

    const killed = new Set<number>();
    const killer = setInterval(async () => {
      const pid = await checkout.pidOf('postgres').catch(() => 0);
      const times = stack.output().match(/^ +postgres +ready/gm)?.length ?? 0;
      if (pid < 1 || killed.has(pid) || times <= killed.size) return;
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }, 20);
    expect(await stack.ended).toBe(1);
    clearInterval(killer);

    expect(killed.size).toBe(5);
    expect(stack.output()).toContain('postgres keeps crashing, so everything is stopped.');
    await eventually(async () => expect(await checkout.processes()).toEqual([]));
  });
});
