import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { migrate, readMigrations } from '../../lib/db/migrate.ts';
import { openRabbitQueue } from '../../lib/queue/rabbitmq.ts';
import type { TaskQueue } from '../../lib/queue/task-queue.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { aTask, aTaskId, type TaskFields } from '../support/a-task.ts';
import { creator } from '../support/create.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { quiet } from '../support/quiet.ts';
import { noRabbitServer, someQueue } from '../support/rabbitmq.ts';
import { theTask } from '../support/rows.ts';
import { type Server, startRabbit } from '../support/servers.ts';
import { openProxy } from '../support/tcp-proxy.ts';
import { type SpawnedWorker, spawnWorker } from './spawned-worker.ts';

/** A worker starts in two seconds, and in many more on a machine that is busy. */
const SLOW = 90_000;

describe.skipIf(noRabbitServer)('the worker process', () => {
  const database = useDatabase();
  const unmigrated = useDatabase({ empty: true });
  let server: Server;
  let queue: TaskQueue;
  let env: Record<string, string>;
  let workers: SpawnedWorker[] = [];

  beforeAll(async () => {
    server = await startRabbit();
  }, SLOW);
  afterAll(() => server?.close());
  beforeEach(async () => {
    const settings = someQueue(server.url);
    queue = openRabbitQueue(settings);
    env = {
      DATABASE_URL: database.url,
      RABBITMQ_URL: settings.url,
      RABBITMQ_QUEUE: settings.queue,
      LEASE_SECONDS: '2',
      // A worker that is killed clears nothing up.
      TMPDIR: await mkdtemp(join(tmpdir(), 'errand-worker-')),
    };
  });
  afterEach(async () => {
    for (const worker of workers) {
      worker.child.kill('SIGKILL');
      await worker.ended;
    }
    workers = [];
    await rm(env.TMPDIR ?? '', { recursive: true, force: true });
    await queue.close();
  });

  function start(more: Record<string, string> = {}): SpawnedWorker {
    const worker = spawnWorker({ ...env, ...more });
    workers.push(worker);
    return worker;
  }

  async function create(fields: TaskFields, sql = database.sql): Promise<TaskId> {
    return (await creator({ sql, queue, logger: quiet })(aTask(fields))).id;
  }

  const becomes = (id: TaskId, state: object, sql = database.sql) =>
    eventually(async () => expect(await theTask(sql, id)).toMatchObject(state), 30_000);

  it(
    'runs tasks, and says nothing but that',
    async () => {
      const worker = start();
      const tasks = await Promise.all(
        Array.from({ length: 20 }, () => create({ command: 'echo hello' })),
      );
      for (const id of tasks) await becomes(id, { status: 'succeeded', attempt: 1 });
      worker.child.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
      // On a busy machine a statement may be slow.
      const others = worker.lines.filter(({ msg }) => msg !== 'a slow statement');
      expect(others.filter(({ level }) => level !== 'info')).toEqual([]);
      expect(await queue.depth()).toMatchObject({ ready: 0 });
    },
    SLOW,
  );

  it(
    'gives up on a message of a task that is not there',
    async () => {
      const worker = start();
      await queue.publish([{ taskId: aTaskId(), delaySeconds: 0 }]);
      await eventually(async () => expect(await queue.countDeadLetters()).toBe(1), 30_000);
      expect(await worker.logged('gave up on a message')).toMatchObject({
        receiveCount: 1,
        cause: expect.stringContaining('There is no task'),
      });
    },
    SLOW,
  );

  it(
    'lets a command end when it is asked to stop, and takes no other',
    async () => {
      const worker = start({ SHUTDOWN_GRACE_SECONDS: '60', WORKER_CONCURRENCY: '1' });
      const running = await create({ command: 'sleep 1; echo done' });
      await becomes(running, { status: 'running' });
      const other = await create({ command: 'true' });
      worker.child.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
      expect(await theTask(database.sql, running)).toMatchObject({
        status: 'succeeded',
        attempt: 1,
      });
      expect(await theTask(database.sql, other)).toMatchObject({ status: 'queued', attempt: 0 });
      expect(await queue.depth()).toMatchObject({ ready: 1 });
    },
    SLOW,
  );

  it(
    'gives back what does not end in time, for another worker',
    async () => {
      const worker = start({ SHUTDOWN_GRACE_SECONDS: '0' });
      const id = await create({
        command: 'test -n "$(ls)" || sleep 600; true',
        timeoutSeconds: 600,
      });
      await becomes(id, { status: 'running' });
      worker.child.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
      expect(await theTask(database.sql, id)).toMatchObject({ status: 'queued', attempt: 1 });
      start();
      await becomes(id, { status: 'running', attempt: 2 });
    },
    SLOW,
  );

  it(
    'loses no task when it is killed: another one rescues it',
    async () => {
      const worker = start();
      const id = await create({ command: 'sleep 2; echo done' });
      await becomes(id, { status: 'running' });
      worker.child.kill('SIGKILL');
      await worker.ended;
      start();
      await becomes(id, { status: 'succeeded', attempt: 2 });
    },
    SLOW,
  );

  it(
    'ends what it runs while the broker is killed and started again',
    async () => {
      start();
      const running = await create({ command: 'sleep 3; echo done' });
      await becomes(running, { status: 'running' });
      await server.crash();
      const unsent = await create({ command: 'echo hello' });
      await server.restart();
      await becomes(running, { status: 'succeeded', attempt: 1 });
      await becomes(unsent, { status: 'succeeded', attempt: 1 });
      expect(await queue.countDeadLetters()).toBe(0);
    },
    SLOW,
  );

  it(
    'waits for migrations and for the broker, without an error',
    async () => {
      await server.crash();
      const worker = start({ DATABASE_URL: unmigrated.url });
      await worker.logged('waits for the database');
      await migrate(unmigrated.sql, await readMigrations());
      await worker.logged('waits for RabbitMQ');
      const id = await create({ command: 'true' }, unmigrated.sql);
      await server.restart();
      await becomes(id, { status: 'succeeded' }, unmigrated.sql);
      expect(worker.lines.filter(({ level }) => level === 'error')).toEqual([]);
    },
    SLOW,
  );

  it(
    'keeps a message while the database is away, and uses up none of its deliveries',
    async () => {
      const wire = await openProxy(database.url);
      const worker = start({ DATABASE_URL: wire.url });
      await worker.logged('takes messages');
      await wire.cut();
      const id = await create({ command: 'true' });
      await worker.logged('waits for the database');
      await wire.mend();
      await becomes(id, { status: 'succeeded', attempt: 1 });
      expect(worker.lines.map(({ msg }) => msg)).not.toContain('returned a message to the queue');
      await wire.close();
    },
    SLOW,
  );

  it(
    'tells whether it works, on a port of its own',
    async () => {
      const port = await freePort(undefined);
      const wire = await openProxy(server.url);
      const worker = start({ RABBITMQ_URL: wire.url, WORKER_PORT: String(port) });
      const ask = async (path: string, method = 'GET') => {
        const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method });
        return { status: answer.status, body: method === 'HEAD' ? null : await answer.json() };
      };
      await worker.logged('takes messages');
      const up = { database: 'up', queue: 'up', messages: 'up' };
      expect(await ask('/health/ready')).toEqual({
        status: 200,
        body: { status: 'ready', checks: up },
      });
      await becomes(await create({}), { status: 'succeeded' });
      await wire.cut();
      await eventually(async () =>
        expect(await ask('/health/ready')).toEqual({
          status: 503,
          body: { status: 'unavailable', checks: { ...up, queue: 'down', messages: 'down' } },
        }),
      );
      expect(await ask('/health/live')).toEqual({ status: 200, body: { status: 'live' } });
      expect(await ask('/health/live', 'HEAD')).toEqual({ status: 200, body: null });
      const metrics = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(metrics.headers.get('content-type')).toMatch(/^application\/openmetrics-text/);
      expect(await metrics.text()).toContain('\n# TYPE errand_attempts_started counter');
      expect((await ask('/health/live', 'POST')).status).toBe(405);
      expect((await ask('/api/tasks')).status).toBe(404);
      await wire.mend();
      await eventually(async () => expect((await ask('/health/ready')).status).toBe(200), 10_000);
      worker.child.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
      await wire.close();
    },
    SLOW,
  );

  it(
    'stops at once when it still waits',
    async () => {
      const worker = start({ DATABASE_URL: 'postgres://nobody@127.0.0.1:1/nothing' });
      await worker.logged('waits for the database');
      worker.child.kill('SIGTERM');
      expect(await worker.ended).toBe(0);
    },
    SLOW,
  );

  it(
    'needs the port that it was given',
    async () => {
      const port = Number(new URL(server.url).port);
      const worker = start({ WORKER_PORT: String(port) });
      expect(await worker.ended).toBe(1);
      const cause = expect.stringContaining(`EADDRINUSE: address already in use 127.0.0.1:${port}`);
      expect(worker.lines).toEqual([expect.objectContaining({ level: 'error', cause })]);
    },
    SLOW,
  );

  it(
    'refuses to start where it cannot work, and says why',
    async () => {
      const refusal = async (settings: Record<string, string>) => {
        const worker = start(settings);
        expect(await worker.ended).toBe(1);
        expect(worker.lines).toMatchObject([{ level: 'error', msg: 'the worker cannot start' }]);
        return worker.lines[0]?.cause;
      };
      expect(await refusal({ QUEUE: 'sqs' })).toBe(
        'A worker process is for QUEUE=rabbitmq; with SQS, npm start or Lambda runs the tasks.',
      );
      const { port } = new URL(server.url);
      expect(await refusal({ WORKER_PORT: port })).toContain(
        `WORKER_PORT ${port} cannot be listened on; take another one.: listen EADDRINUSE`,
      );
      expect(await refusal({ RABBITMQ_URL: 'amqp:/guest:s3cret@mq' })).toContain(
        'RABBITMQ_URL must begin with amqp:// or amqps:// and a host',
      );
    },
    SLOW,
  );
});
