import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makeRelayOutbox } from '../../lib/tasks/relay-outbox.ts';
import type { NewTask, TaskSummary } from '../../lib/tasks/task.ts';
import { aTask, makeRelayDue } from '../support/a-task.ts';
import { creator } from '../support/create.ts';
import { eventually } from '../support/eventually.ts';
import { owedTasks, theTask } from '../support/rows.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();
const create = (task: NewTask): Promise<TaskSummary> => creator(system.deps)(task);

beforeEach(async () => {
  await system.database.sql`truncate errand.tasks cascade`;
});
afterEach(async () => {
  await system.wire.mend();
  await system.broker.purge();
});

describe('createTask', () => {
  it('stores the task and publishes its message', async () => {
    const task = await create(aTask({ command: 'echo hello' }));
    expect(task).toMatchObject({ status: 'queued', attempt: 0, startedAt: null, failure: null });
    expect(await system.broker.drain()).toEqual([{ taskId: task.id }]);
    expect(await owedTasks(system.database.sql)).toEqual([]);
  });

  it('stores the task while the broker is away, and leaves its message to the relay', async () => {
    await system.wire.cut();
    const task = await create(aTask());
    expect(await owedTasks(system.database.sql)).toEqual([task.id]);

    await system.wire.mend();
    await makeRelayDue(system.database.sql);
    expect(await makeRelayOutbox(system.deps)()).toBe(1);
    expect(await system.broker.drain()).toEqual([{ taskId: task.id }]);
  });

  it('has the relay publish soon what the broker did not take', async () => {
    await system.wire.cut();
    const task = await create(aTask());
    await system.wire.mend();

    // By itself: a relay leaves a message alone that its writer may still be publishing.
    const failedAt = performance.now();
    await eventually(async () => expect(await makeRelayOutbox(system.deps)()).toBe(1));
    expect(performance.now() - failedAt).toBeLessThan(3000);
    expect(await system.broker.drain()).toEqual([{ taskId: task.id }]);
  });

  it('answers within five seconds when the broker takes connections but says nothing', async () => {
    system.wire.hang();
    const asked = performance.now();
    const task = await create(aTask());
    expect(performance.now() - asked).toBeLessThan(5000);
    expect(await owedTasks(system.database.sql)).toEqual([task.id]);
  });

  it('loses nothing when it is killed between the commit and the message', async () => {
    const child = spawn(
      process.execPath,
      [fileURLToPath(new URL('commits-then-dies.ts', import.meta.url))],
      { env: { DATABASE_URL: system.database.url }, stdio: 'inherit' },
    );
    expect(await once(child, 'exit')).toEqual([null, 'SIGKILL']);

    await makeRelayDue(system.database.sql);
    await makeRelayOutbox(system.deps)();
    const [message] = (await system.broker.drain()) as { taskId: TaskSummary['id'] }[];
    if (!message) throw new Error('the relay sent nothing');
    const { program, status } = await theTask(system.database.sql, message.taskId);
    expect({ program, status }).toEqual({
      program: { kind: 'shell', command: 'echo survived' },
      status: 'queued',
    });
  });

  it('stores no task when its message cannot be owed', async () => {
    const { sql } = system.database;
    await sql`alter table errand.outbox add constraint broken check (relay_at is null) not valid`;
    await expect(create(aTask())).rejects.toMatchObject({ constraint_name: 'broken' });
    await sql`alter table errand.outbox drop constraint broken`;
    expect(await sql`select from errand.tasks`).toHaveLength(0);
    expect(await system.broker.drain()).toEqual([]);
  });

  it('delays the message of a task that is due soon', async () => {
    const { createdAt, runAt } = await create(aTask({ delaySeconds: 120 }));
    expect(runAt.getTime() - createdAt.getTime()).toBe(120_000);
    expect(await system.broker.queue.depth()).toMatchObject({ ready: 0, delayed: 1 });
    expect(await owedTasks(system.database.sql)).toEqual([]);
  });

  it('keeps the message of a task that is due in a month until the queue can delay it', async () => {
    const runAt = new Date(Date.now() + 30 * 86_400_000);
    const task = await create(aTask({ runAt }));
    expect(task.runAt).toEqual(runAt);
    expect(await makeRelayOutbox(system.deps)()).toBe(0);
    const [row] = await system.database.sql`
      select extract(epoch from due_at - relay_at)::int as ahead from errand.outbox`;
    expect(row).toEqual({ ahead: 900 });
  });

  it.each([
    ['quotes and braces', ['printf', '{"a","b"}', "it's", '"', '\\', 'a,b', '{}']],
    ['nothing and NULL', ['printf', '', 'NULL', 'null', ' ']],
    ['text of all the world', ['printf', 'äöü', '日本語', '🚀', '\n\t\r', '\u2028']],
  ])('keeps arguments with %s as they are', async (_what, argv) => {
    const { id } = await create(aTask({ argv }));
    const { program } = await theTask(system.database.sql, id);
    expect(program).toEqual({ kind: 'argv', argv });
  });

  it('keeps labels and variables with names that objects know', async () => {
    const names = JSON.parse('{"__proto__": "a", "constructor": "b", "toString": "c"}');
    const { id } = await create(aTask({ labels: names, env: names }));
    const { labels } = await theTask(system.database.sql, id);
    expect(JSON.stringify(labels)).toContain('"__proto__":"a"');
    expect(Object.keys(labels).sort()).toEqual(['__proto__', 'constructor', 'toString']);
  });
});
