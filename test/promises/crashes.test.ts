import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { connect } from '../../lib/db/connection.ts';
import { migrate, readMigrations } from '../../lib/db/migrate.ts';
import { openSqsQueue, type SqsSettings } from '../../lib/queue/sqs.ts';
import type { TaskQueue } from '../../lib/queue/task-queue.ts';
import { makeExecuteTask } from '../../lib/tasks/execute-task.ts';
import { takeOwedMessages } from '../../lib/tasks/outbox.ts';
import { makeRelayOutbox } from '../../lib/tasks/relay-outbox.ts';
import { makeRescueTasks } from '../../lib/tasks/rescue-tasks.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { abandonExpired } from '../../lib/tasks/upkeep-store.ts';
import { findIllegalSteps, recordHistory } from '../../scripts/chaos/history.ts';
import { ACTOR, aTask, aTaskId, insertTask, makeRelayDue, storeTask } from '../support/a-task.ts';
import { creator } from '../support/create.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { createQueue, deleteQueue, drainQueue, sendRaw } from '../support/queue.ts';
import { quiet } from '../support/quiet.ts';
import { owedTasks, theTask } from '../support/rows.ts';
import { scriptedSandbox } from '../support/scripted-sandbox.ts';
import { startEmulator, startPostgres } from '../support/servers.ts';
import { claim } from './moves.ts';
import type { Moment, WorkerSettings } from './worker-process.ts';

const LEASE_SECONDS = 2;

const database = useDatabase();
let queueSettings: SqsSettings;
let queue: TaskQueue;
let directory: string;
let workers: ChildProcess[] = [];

beforeAll(() => recordHistory(database.sql));
beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  // One for each test: a worker that is killed while it asks takes the next message along.
  queueSettings = await createQueue(inject('sqsEndpoint'));
  queue = openSqsQueue(queueSettings, process.env);
  directory = await mkdtemp(join(tmpdir(), 'errand-crashes-'));
});
afterEach(async () => {
  for (const worker of workers) worker.kill('SIGKILL');
  await Promise.all(workers.map(hasDied));
  workers = [];
  await queue.close();
  await deleteQueue(queueSettings);
  await rm(directory, { recursive: true });
});

function startWorker(options: { dieAt?: Moment; graceMs?: number } = {}): ChildProcess {
  const settings: WorkerSettings = {
    databaseUrl: database.url,
    queue: queueSettings,
    leaseSeconds: LEASE_SECONDS,
    visibilitySeconds: 600,
    graceMs: 0,
    journal: join(directory, 'journal'),
    ...options,
  };
  const worker = spawn(
    process.execPath,
    [fileURLToPath(new URL('worker-process.ts', import.meta.url))],
    { env: { ...process.env, WORKER: JSON.stringify(settings) }, stdio: 'inherit' },
  );
  workers.push(worker);
  return worker;
}

const hasDied = async (worker: ChildProcess) => {
  if (worker.exitCode === null && worker.signalCode === null) await once(worker, 'exit');
  return worker.signalCode;
};

const rescueTasks = () => makeRescueTasks({ sql: database.sql, queue, logger: quiet })();

/** The rescue comes by every 100 ms until the task has ended. */
const endsRescued = (id: TaskId) =>
  eventually(async () => {
    await rescueTasks();
    const task = await theTask(database.sql, id);
    expect(task.finishedAt).not.toBeNull();
    return task;
  }, 15_000);

const send = (id: TaskId) => queue.publish([{ taskId: id, delaySeconds: 0 }]);

const executions = async () =>
  (await readFile(join(directory, 'journal'), 'utf8').catch(() => '')).split('\n').length - 1;

/** The command tells that it runs, waits for a word, and ends. */
const WAITING = () =>
  `touch ${directory}/runs; while [ ! -e ${directory}/go ]; do sleep 0.05; done; echo done`;
const commandRuns = () => eventually(() => readFile(join(directory, 'runs')), 10_000);

describe('a worker that is killed', () => {
  it('before it starts the command, costs an attempt that never ran', async () => {
    const id = await storeTask(database.sql, { command: 'echo done' });
    await send(id);
    expect(await hasDied(startWorker({ dieAt: 'before spawn' }))).toBe('SIGKILL');
    startWorker();
    expect(await endsRescued(id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(await executions()).toBe(1);
  });

  it('while the command runs, has it run again by another worker', async () => {
    const id = await storeTask(database.sql, { command: WAITING() });
    await send(id);
    const first = startWorker();
    await commandRuns();
    first.kill('SIGKILL');
    await hasDied(first);
    await rm(join(directory, 'runs'));
    startWorker();
    await eventually(async () => {
      await rescueTasks();
      await readFile(join(directory, 'runs'));
    }, 15_000);
    await writeFile(join(directory, 'go'), '');
    const task = await endsRescued(id);
    expect(task).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(task.attempts.map(({ failure }) => failure?.code)).toEqual(['worker_lost', undefined]);
  });

  it('after the command ended and before that is settled, runs it again', async () => {
    const id = await storeTask(database.sql, { command: 'echo done' });
    await send(id);
    expect(await hasDied(startWorker({ dieAt: 'after exit' }))).toBe('SIGKILL');
    startWorker();
    expect(await endsRescued(id)).toMatchObject({ status: 'succeeded', attempt: 2 });
    expect(await executions()).toBe(2);
  });

  it('after the command ended, does not run it again when it must not start twice', async () => {
    const id = await storeTask(database.sql, { command: 'echo done', onWorkerLost: 'fail' });
    await send(id);
    await hasDied(startWorker({ dieAt: 'after exit' }));
    startWorker();
    expect(await endsRescued(id)).toMatchObject({
      status: 'failed',
      attempt: 1,
      failure: { code: 'worker_lost' },
    });
    await send(id);
    await eventually(async () => expect((await queue.depth()).ready).toBe(0));
    expect(await executions()).toBe(1);
  });

  it('after it settled and before the message is deleted, changes nothing any more', async () => {
    const id = await storeTask(database.sql, { command: 'echo done' });
    await send(id);
    await hasDied(startWorker({ dieAt: 'after settle' }));
    startWorker();
    await send(id);
    await eventually(async () => expect((await queue.depth()).ready).toBe(0), 10_000);
    await rescueTasks();
    expect(await theTask(database.sql, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(await executions()).toBe(1);
  });

  it('never settled anything twice in all of this', async () => {
    expect(await findIllegalSteps(database.sql)).toEqual([]);
  });
});

describe('a worker that gets SIGTERM', () => {
  it('gives a running command back at once, without the wait for its lease', async () => {
    const id = await storeTask(database.sql, { command: WAITING() });
    await send(id);
    const worker = startWorker();
    await commandRuns();
    worker.kill('SIGTERM');
    await hasDied(worker);
    expect(worker.exitCode).toBe(0);
    expect(await theTask(database.sql, id)).toMatchObject({ status: 'queued', attempt: 1 });
    const messages = await drainQueue(queueSettings);
    const owed = await owedTasks(database.sql);
    expect([...messages, ...owed.map((taskId) => ({ taskId }))]).toContainEqual({ taskId: id });
  });

  it('lets a command end that does so within the grace period', async () => {
    const id = await storeTask(database.sql, { command: WAITING() });
    await send(id);
    const worker = startWorker({ graceMs: 10_000 });
    await commandRuns();
    worker.kill('SIGTERM');
    await writeFile(join(directory, 'go'), '');
    await eventually(async () =>
      expect((await theTask(database.sql, id)).status).toBe('succeeded'),
    );
  });
});

describe('a relay that is killed', () => {
  it('costs no message: another run of the relay sends what it took', async () => {
    const id = aTaskId();
    await insertTask(database.sql, id, ACTOR, aTask());
    await makeRelayDue(database.sql);
    expect(await takeOwedMessages(database.sql, 100)).toHaveLength(1);
    const relayOutbox = makeRelayOutbox({ sql: database.sql, queue });
    expect(await relayOutbox()).toBe(0); // for as long as the other one may be at it
    await makeRelayDue(database.sql);
    expect(await relayOutbox()).toBe(1);
    expect(await drainQueue(queueSettings)).toEqual([{ taskId: id }]);
  });
});

describe('a rescue that is killed', () => {
  it('has rescued whole tasks or none: the next run goes on', async () => {
    const ids = [];
    for (let n = 0; n < 3; n++) {
      const id = await storeTask(database.sql);
      await claim(database.sql, id, -1);
      ids.push(id);
    }
    // One batch of one task is committed, its message not yet sent.
    const { owed } = await abandonExpired(database.sql, 1);
    expect(await rescueTasks()).toMatchObject({ lost: 2 });
    await makeRelayDue(database.sql);
    await makeRelayOutbox({ sql: database.sql, queue })();
    const sent = (await drainQueue(queueSettings)) as { taskId: TaskId }[];
    expect(owed).toHaveLength(1);
    expect(sent.map(({ taskId }) => taskId).sort()).toEqual(ids.sort());
  });
});

describe('a redrive that is killed half-way', () => {
  it('leaves a letter in both queues, and its task runs once', async () => {
    const id = await storeTask(database.sql, { command: 'echo done' });
    await sendRaw(queueSettings, queueSettings.deadLetterUrl, JSON.stringify({ taskId: id }));
    await send(id); // it was sent back, and not yet deleted there
    startWorker();
    await eventually(async () =>
      expect((await theTask(database.sql, id)).status).toBe('succeeded'),
    );
    expect(await queue.redrive(async (letters) => letters)).toBe(1);
    await eventually(async () => expect((await queue.depth()).ready).toBe(0));
    expect(await theTask(database.sql, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(await executions()).toBe(1);
  });
});

describe('a queue server that is killed', () => {
  it('costs no task: messages it had are there again, others come from the outbox', async () => {
    const emulator = await startEmulator();
    const settings = await createQueue(emulator.url);
    const queue = openSqsQueue(settings, process.env);
    const deps = { sql: database.sql, queue, logger: quiet };
    const createTask = creator(deps);
    try {
      const before = await createTask(aTask());
      await emulator.crash();
      const during = await createTask(aTask());
      expect(await owedTasks(database.sql)).toContain(during.id);
      await emulator.restart();
      await makeRelayDue(database.sql);
      await makeRelayOutbox(deps)();
      const messages = await drainQueue(settings);
      expect(messages).toContainEqual({ taskId: before.id });
      expect(messages).toContainEqual({ taskId: during.id });
    } finally {
      await queue.close();
      await emulator.close();
    }
  });
});

describe('a Postgres server that is killed', () => {
  it('while a command runs and comes back, gets the result after all', async () => {
    const postgres = await startPostgres();
    const sql = connect({ url: postgres.url, poolMax: 4, prepare: true });
    try {
      await migrate(sql, await readMigrations());
      const sandbox = scriptedSandbox();
      const executeTask = makeExecuteTask({
        ...{ sql, queue, sandbox, logger: quiet },
        leaseSeconds: 30,
      });
      const id = await storeTask(sql);
      const begun = sandbox.nextStart();
      const execution = executeTask(id, new AbortController().signal);
      const command = await begun;

      await postgres.crash();
      command.end({ kind: 'exited', exitCode: 7 });
      await postgres.restart();

      expect(await execution).toBe('settled');
      expect(await theTask(sql, id)).toMatchObject({ status: 'failed', result: { exitCode: 7 } });
    } finally {
      await sql.end({ timeout: 1 });
      await postgres.close();
    }
  }, 60_000);
});
