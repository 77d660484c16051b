import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openSandbox } from '../../lib/sandbox/open-sandbox.ts';
import { type Sandbox, SandboxError } from '../../lib/sandbox/sandbox.ts';
import { makeCancelTask } from '../../lib/tasks/cancel-task.ts';
import { TaskNotFound } from '../../lib/tasks/errors.ts';
import { type ExecuteTask, makeExecuteTask } from '../../lib/tasks/execute-task.ts';
import { usualLimits } from '../../lib/tasks/limits.ts';
import { makeRescueTasks } from '../../lib/tasks/rescue-tasks.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { ACTOR, aTaskId, expireLease, storeTask, type TaskFields } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { eventually } from '../support/eventually.ts';
import { owedTasks, theTask } from '../support/rows.ts';
import { type ScriptedSandbox, scriptedSandbox } from '../support/scripted-sandbox.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();
const never = new AbortController().signal;
let sandbox: ScriptedSandbox;
/** Real processes. */
const unisolated = await openSandbox('unsafe-none');
afterAll(() => unisolated.close());

beforeEach(async () => {
  sandbox = scriptedSandbox();
  await system.database.sql`truncate errand.tasks cascade`;
});
afterEach(() => system.broker.purge());

const store = (fields?: TaskFields) => storeTask(system.database.sql, fields);
const find = (task: TaskId) => theTask(system.database.sql, task);

/** Executes with real processes, or with the sandbox given. */
function executor({ leaseSeconds = 30, isolation = unisolated as Sandbox } = {}): ExecuteTask {
  return makeExecuteTask({ ...system.deps, sandbox: isolation, leaseSeconds });
}

/** Begins to execute a task whose command the test holds open. */
async function begin(task: TaskId, { leaseSeconds = 30, signal = never } = {}) {
  const starting = sandbox.nextStart();
  const execution = executor({ leaseSeconds, isolation: sandbox })(task, signal);
  execution.catch(() => {});
  return { execution, command: await starting };
}

describe('executeTask, whatever the command does,', () => {
  it('stores what a command wrote and its exit code 0', async () => {
    const task = await store({ command: 'echo hello; echo oops >&2' });
    expect(await executor()(task, never)).toBe('settled');
    const { status, failure, result, output, attempts, finishedAt } = await find(task);
    expect({ status, failure, exitCode: result.exitCode }).toEqual({
      status: 'succeeded',
      failure: null,
      exitCode: 0,
    });
    expect(output?.stdout).toEqual({ bytes: Buffer.from('hello\n'), totalBytes: 6 });
    expect(output?.stderr).toEqual({ bytes: Buffer.from('oops\n'), totalBytes: 5 });
    expect(attempts).toMatchObject([{ number: 1, status: 'succeeded', sandboxTier: 'none' }]);
    expect(finishedAt).toEqual(attempts[0]?.finishedAt);
  });

  it('holds a command to the limits of its task', async () => {
    const limits = { ...usualLimits(60), stdoutBytes: 3, fileMb: 1 };
    const task = await store({ command: 'echo hello; ulimit -f', limits });
    await executor()(task, never);
    const { output } = await find(task);
    // 1 MiB in blocks of 512 bytes, cut at three bytes: hel
    expect(output?.stdout).toEqual({ bytes: Buffer.from('hel'), totalBytes: 11 });
  });

  it('stores a non-zero exit code and acknowledges the message', async () => {
    const task = await store({ command: 'exit 7' });
    expect(await executor()(task, never)).toBe('settled');
    const { status, failure, result } = await find(task);
    expect(status).toBe('failed');
    expect(result).toMatchObject({ exitCode: 7, signal: null });
    expect(failure).toEqual({ code: 'nonzero_exit', message: 'The command exited with code 7.' });
  });

  it('stores the signal that ended a command', async () => {
    const task = await store({ command: 'kill -TERM $$' });
    await executor()(task, never);
    const { failure, result } = await find(task);
    expect(result).toMatchObject({ exitCode: null, signal: 'SIGTERM' });
    expect(failure?.code).toBe('signalled');
  });

  it('stores that a command took too long, with what it wrote until then', async () => {
    const task = await store({ command: 'echo started; sleep 60', timeoutSeconds: 1 });
    await executor()(task, never);
    const { status, failure, result, output } = await find(task);
    expect(status).toBe('failed');
    expect(failure).toEqual({
      code: 'timed_out',
      message: 'The command ran longer than its limit of 1 s.',
    });
    expect(result.exitCode).toBeNull();
    expect(output?.stdout.bytes.toString()).toBe('started\n');
  });

  it('stores that a command used too much memory', async () => {
    const task = await store();
    const { execution, command } = await begin(task);
    command.end({ kind: 'outOfMemory', limitBytes: 256 * 1024 ** 2 });
    expect(await execution).toBe('settled');
    expect((await find(task)).failure).toEqual({
      code: 'out_of_memory',
      message: 'The command used more than its 256 MB of memory.',
    });
  });

  it('keeps output that is no text, byte by byte', async () => {
    const task = await store({ argv: ['printf', '\\377\\000\\376'] });
    await executor()(task, never);
    expect((await find(task)).output?.stdout.bytes).toEqual(Buffer.from([255, 0, 254]));
  });

  it('feeds stdin and sets the variables', async () => {
    const task = await store({
      command: 'read line; echo "$line $NAME"',
      stdin: Buffer.from('hello\n'),
      env: { NAME: 'wörld' },
    });
    await executor()(task, never);
    expect((await find(task)).output?.stdout.bytes.toString()).toBe('hello wörld\n');
  });
});

describe('executeTask, when the message is one too many,', () => {
  it('leaves a task alone while another worker holds its lease', async () => {
    const task = await store();
    await claimed(system.database.sql, task);
    expect(await executor()(task, never)).toBe('skipped');
    expect((await find(task)).attempts).toMatchObject([{ number: 1, status: 'running' }]);
  });

  it('runs a command once for two messages at once', async () => {
    const task = await store({ command: 'echo x' });
    const execute = executor();
    const executions = await Promise.all([execute(task, never), execute(task, never)]);
    expect(executions.sort()).toEqual(['settled', 'skipped']);
    expect((await find(task)).attempts).toHaveLength(1);
  });

  it('changes nothing of a task that has ended', async () => {
    const task = await store({ command: 'echo x' });
    await executor()(task, never);
    const ended = await find(task);
    expect(await executor()(task, never)).toBe('skipped');
    expect(await find(task)).toEqual(ended);
  });

  it('changes nothing of a task that was cancelled', async () => {
    const task = await store();
    await makeCancelTask(system.deps)(ACTOR, task);
    expect(await executor({ isolation: sandbox })(task, never)).toBe('skipped');
    expect(sandbox.started).toHaveLength(0);
  });

  it('sends a message again that came before its time', async () => {
    const task = await store({ delaySeconds: 600 });
    expect(await executor()(task, never)).toBe('skipped');
    expect(await system.broker.queue.depth()).toMatchObject({ ready: 0, delayed: 1 });
  });

  it('refuses a message whose task is not there', async () => {
    await expect(executor()(aTaskId(), never)).rejects.toThrow(TaskNotFound);
  });
});

describe('executeTask, while a command runs,', () => {
  it('renews the lease', async () => {
    const task = await store();
    const { execution, command } = await begin(task, { leaseSeconds: 2 });
    const leased = async () => {
      const [row] = await system.database.sql<[{ until: Date }]>`
        select lease_expires_at as until from errand.tasks where id = ${task}`;
      return row.until.getTime();
    };
    const first = await leased();
    await eventually(async () => expect(await leased()).toBeGreaterThan(first));
    command.end({ kind: 'exited', exitCode: 0 });
    expect(await execution).toBe('settled');
  });

  it('kills the command of an attempt that was taken over, and settles nothing', async () => {
    const task = await store();
    const { execution, command } = await begin(task);
    await expireLease(system.database.sql, task);
    await makeRescueTasks(system.deps)();
    const takeover = await claimed(system.database.sql, task);

    await eventually(() => expect(command.signal.aborted).toBe(true), 3000);
    expect(await execution).toBe('superseded');
    expect(takeover.attempt).toBe(2);
    expect((await find(task)).attempts).toMatchObject([
      { number: 1, status: 'failed', failure: { code: 'worker_lost' } },
      { number: 2, status: 'running' },
    ]);
  });

  it('settles nothing when the command ends after the attempt was taken over', async () => {
    const task = await store();
    const { execution, command } = await begin(task);
    await expireLease(system.database.sql, task);
    await makeRescueTasks(system.deps)();
    command.end({ kind: 'exited', exitCode: 0 }, { stdout: 'too late' });

    expect(await execution).toBe('superseded');
    const { status, attempts } = await find(task);
    expect(status).toBe('queued');
    expect(attempts).toMatchObject([{ status: 'failed', result: { exitCode: null } }]);
  });

  it('kills the command when nobody can renew the lease any more', async () => {
    const task = await store();
    const { execution, command } = await begin(task, { leaseSeconds: 2 });
    const { sql } = system.database;
    await sql`alter table errand.tasks rename to tasks_out_of_reach`;
    await eventually(() => expect(command.signal.aborted).toBe(true), 3000);
    expect(await execution).toBe('superseded');
    await sql`alter table errand.tasks_out_of_reach rename to tasks`;
    expect((await find(task)).status).toBe('running');
  });

  it('kills the command of a task that is cancelled, and keeps what it wrote', async () => {
    const task = await store({ command: 'echo started; sleep 60' });
    const execution = executor()(task, never);
    await eventually(async () => expect((await find(task)).status).toBe('running'));
    await makeCancelTask(system.deps)(ACTOR, task);
    const asked = performance.now();
    expect(await execution).toBe('settled');
    expect(performance.now() - asked).toBeLessThan(2000);
    const { status, failure, output, cancelRequestedAt } = await find(task);
    expect({ status, failure }).toEqual({ status: 'cancelled', failure: null });
    expect(output?.stdout.bytes.toString()).toBe('started\n');
    expect(cancelRequestedAt).not.toBeNull();
  });
});

describe('executeTask, when our own parts break,', () => {
  it('settles after a database outage when the lease has lasted', async () => {
    const task = await store();
    const { execution, command } = await begin(task);
    const { sql } = system.database;
    await sql`alter table errand.attempts rename to attempts_out_of_reach`;
    command.end({ kind: 'exited', exitCode: 3 });
    expect(await Promise.race([execution, settleFailedOnce()])).toBe('failed once');
    await sql`alter table errand.attempts_out_of_reach rename to attempts`;
    expect(await execution).toBe('settled');
    expect((await find(task)).result.exitCode).toBe(3);
  });

  it('gives the task back at once when it is told to stop', async () => {
    const task = await store();
    const stop = new AbortController();
    const { execution } = await begin(task, { signal: stop.signal });
    stop.abort(new Error('the function ends'));
    expect(await execution).toBe('given_back');
    expect((await find(task)).status).toBe('queued');
    expect(await system.broker.drain()).toEqual([{ taskId: task }]);
    expect(await owedTasks(system.database.sql)).toEqual([]);
  });

  it('returns the message when the sandbox breaks', async () => {
    const task = await store();
    const { execution, command } = await begin(task);
    command.fail(new SandboxError('the launcher is gone'));
    await expect(execution).rejects.toThrow('the launcher is gone');
    const { status, attempts } = await find(task);
    expect(status).toBe('running');
    expect(attempts).toMatchObject([
      { status: 'failed', failure: { code: 'sandbox_error', message: 'the launcher is gone' } },
    ]);
  });

  it('fails a task as sandbox_error when the sandbox breaks again and again', async () => {
    const task = await store();
    const rescue = makeRescueTasks(system.deps);
    for (let loss = 1; loss <= 4; loss++) {
      const { execution, command } = await begin(task);
      command.fail(new SandboxError('no namespaces'));
      await expect(execution).rejects.toThrow('no namespaces');
      await expireLease(system.database.sql, task);
      await rescue();
    }
    const { status, failure, attempts, output } = await find(task);
    expect({ status, failure, output }).toEqual({
      status: 'failed',
      failure: { code: 'sandbox_error', message: 'no namespaces' },
      output: null,
    });
    expect(attempts.map((attempt) => attempt.failure?.code)).toEqual(
      Array.from({ length: 4 }, () => 'sandbox_error'),
    );
  });

  it('returns the message when the database is away before the claim', async () => {
    const task = await store();
    const { sql } = system.database;
    await sql`alter table errand.tasks rename to tasks_out_of_reach`;
    await expect(executor()(task, never)).rejects.toMatchObject({ code: '42P01' });
    await sql`alter table errand.tasks_out_of_reach rename to tasks`;
    expect((await find(task)).status).toBe('queued');
  });

  /** Resolves once Postgres has seen a settlement fail, as its statistics tell. */
  async function settleFailedOnce(): Promise<string> {
    const rollbacks = async () => {
      const [row] = await system.database.sql<[{ rollbacks: number }]>`
        select xact_rollback as rollbacks from pg_stat_database where datname = current_database()`;
      return row.rollbacks;
    };
    const before = await rollbacks();
    await eventually(async () => expect(await rollbacks()).toBeGreaterThan(before), 10_000);
    return 'failed once';
  }
});

describe('executeTask, when a command fails and has attempts left,', () => {
  it('queues the task again, due after back-off, with a message', async () => {
    const task = await store({ command: 'exit 1', maxAttempts: 3, retryDelaySeconds: 3600 });
    expect(await executor()(task, never)).toBe('settled');
    const { status, failure, runAt, createdAt, attempts } = await find(task);
    expect({ status, failure }).toEqual({ status: 'queued', failure: null });
    expect(attempts).toMatchObject([{ status: 'failed', failure: { code: 'nonzero_exit' } }]);
    expect(runAt.getTime()).toBeGreaterThan(createdAt.getTime());
    const { delayed } = await system.broker.queue.depth();
    expect(delayed + (await owedTasks(system.database.sql)).length).toBe(1);
  });

  it('fails it for good after the last attempt, and keeps every attempt', async () => {
    const task = await store({ command: 'exit 1', maxAttempts: 3, retryDelaySeconds: 0 });
    for (let attempt = 1; attempt <= 3; attempt++) await executor()(task, never);
    const { status, failure, attempts } = await find(task);
    expect(status).toBe('failed');
    expect(failure?.code).toBe('nonzero_exit');
    expect(attempts.map(({ number }) => number)).toEqual([1, 2, 3]);
    expect(await executor()(task, never)).toBe('skipped');
  });

  it('runs it no more when an attempt succeeds', async () => {
    const task = await store({ command: 'true', maxAttempts: 3 });
    await executor()(task, never);
    expect((await find(task)).status).toBe('succeeded');
    expect(await owedTasks(system.database.sql)).toEqual([]);
  });
});
