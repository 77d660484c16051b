import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueueUnavailable } from '../../lib/queue/task-queue.ts';
import { readBacklog } from '../../lib/tasks/backlog-store.ts';
import { makeRelayOutbox } from '../../lib/tasks/relay-outbox.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { ACTOR, aTask, aTaskId, insertTask, makeRelayDue } from '../support/a-task.ts';
import { owedTasks } from '../support/rows.ts';
import { useSystem } from '../support/use-cases.ts';

const system = useSystem();

beforeEach(async () => {
  await system.database.sql`truncate errand.tasks cascade`;
});
afterEach(async () => {
  await system.wire.mend();
  await system.broker.purge();
});

/** Tasks whose message a crash left unsent. */
async function leaveUnsent(count: number): Promise<TaskId[]> {
  const ids = Array.from({ length: count }, aTaskId);
  await Promise.all(ids.map((id) => insertTask(system.database.sql, id, ACTOR, aTask())));
  return ids;
}

const relay = () => makeRelayOutbox(system.deps)();
/** Without duplicates: a busy broker may get a batch twice, as the SDK tries again. */
const sentTasks = async () => {
  const messages = (await system.broker.drain()) as { taskId: TaskId }[];
  return Array.from(new Set(messages.map(({ taskId }) => taskId))).sort();
};

describe('relayOutbox', () => {
  it('leaves a message alone that its request is still about to send', async () => {
    await leaveUnsent(1);
    expect(await relay()).toBe(0);
  });

  it('publishes every message that was left unsent, however many', async () => {
    const tasks = await leaveUnsent(1234);
    await makeRelayDue(system.database.sql);
    expect(await relay()).toBe(1234);
    expect(await owedTasks(system.database.sql)).toEqual([]);
    expect(await sentTasks()).toEqual(tasks.sort());
  });

  it('gives each message to one of two relays that run at once', async () => {
    const tasks = await leaveUnsent(700);
    await makeRelayDue(system.database.sql);
    const [one, other] = await Promise.all([relay(), relay()]);
    expect(one + other).toBe(700);
    expect(await sentTasks()).toEqual(tasks.sort());
  });

  it('takes no more rows at once than it publishes at once', async () => {
    await leaveUnsent(1200);
    await makeRelayDue(system.database.sql);
    await system.wire.cut();
    await expect(relay()).rejects.toThrow(QueueUnavailable);
    const [row] = await system.database.sql`
      select count(*)::int as due from errand.outbox where relay_at <= now()`;
    expect(row).toEqual({ due: 700 });
  });

  it('keeps the messages while the broker is away, and sends them when it is back', async () => {
    const tasks = await leaveUnsent(3);
    await makeRelayDue(system.database.sql);
    await system.wire.cut();
    await expect(relay()).rejects.toThrow(QueueUnavailable);
    expect(await owedTasks(system.database.sql)).toHaveLength(3);

    await system.wire.mend();
    await makeRelayDue(system.database.sql);
    expect(await relay()).toBe(3);
    expect(await sentTasks()).toEqual(tasks.sort());
  });

  it('does not wait for a row that somebody holds', async () => {
    const [held = aTaskId(), ...others] = await leaveUnsent(3);
    await makeRelayDue(system.database.sql);
    await system.database.sql.begin(async (tx) => {
      await tx`select from errand.outbox where task_id = ${held} for update`;
      expect(await relay()).toBe(2);
    });
    expect(await sentTasks()).toEqual(others.sort());
    expect(await owedTasks(system.database.sql)).toEqual([held]);
  });
});

describe('readBacklog', () => {
  const lag = async () => (await readBacklog(system.database.sql)).relayLagSeconds;

  it('is 0 when nothing is owed, or not yet', async () => {
    expect(await lag()).toBe(0);
    await leaveUnsent(1);
    await system.database.sql`update errand.outbox set due_at = now() + interval '1 minute'`;
    expect(await lag()).toBe(0);
  });

  it('grows from when the oldest message was due, however often it was tried', async () => {
    await leaveUnsent(2);
    await system.database.sql`
      update errand.outbox set due_at = now() - interval '10 minutes', relay_at = now()
       where id = (select min(id) from errand.outbox)`;
    await system.wire.cut();
    await expect(relay()).rejects.toThrow(QueueUnavailable);
    const seconds = await lag();
    expect(seconds).toBeGreaterThanOrEqual(600);
    expect(seconds).toBeLessThan(660);
  });
});
