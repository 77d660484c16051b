import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { noRabbitServer } from '../support/rabbitmq.ts';
import { type Server, startRabbit } from '../support/servers.ts';
import { useStack } from './local-stack.ts';

describe.skipIf(noRabbitServer)('npm start with RabbitMQ', () => {
  let broker: Server;

  beforeAll(async () => {
    broker = await startRabbit();
  });
  afterAll(() => broker?.close());
  const errand = useStack(() => ({ QUEUE: 'rabbitmq', RABBITMQ_URL: broker.url }));

  const request = async (path: string, options?: RequestInit) => {
    const response = await fetch(`${errand.url}${path}`, options);
    return { status: response.status, body: (await response.json()) as { id?: string } };
  };
  async function runs(command: string, within = 20_000): Promise<void> {
    const { status, body } = await request('/api/tasks', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ command }),
    });
    expect(status).toBe(202);
    await eventually(async () => {
      const task = await request(`/api/tasks/${body.id}`);
      expect(task.body).toMatchObject({ status: 'succeeded', attempt: 1 });
    }, within);
  }

  it('runs tasks with a worker process and without an SQS emulator', async () => {
    await runs('echo hello');
    expect(await errand.checkout.pidOf('worker')).toBeGreaterThan(0);
    await expect(errand.checkout.pidOf('queue')).rejects.toThrow();
    expect(await request('/health/ready')).toMatchObject({
      status: 200,
      body: { checks: { queue: 'up' } },
    });
    expect(await request('/api/dead-letters')).toMatchObject({ status: 200, body: { items: [] } });
  });

  it('takes tasks while RabbitMQ is away, and runs them when it is back', async () => {
    await broker.crash();
    expect(await request('/health/ready')).toMatchObject({ status: 503 });
    const running = runs('echo later', 60_000);
    await broker.restart();
    await running;
  });

  it('starts a worker again that was killed', async () => {
    process.kill(await errand.checkout.pidOf('worker'), 'SIGKILL');
    await runs('echo again');
  });

  it('leaves nothing behind', async () => {
    expect(await errand.stop()).toBe(0);
    expect(errand.output()).not.toMatch(/unhandled|TypeError/i);
    expect(await errand.checkout.processes()).toEqual([]);
  });
});
