import { beforeEach, describe, expect, it } from 'vitest';
import { isDatabaseUnavailable } from '../../lib/db/unavailable.ts';
import {
  ACTOR,
  aTask,
  aTaskId,
  expireLease,
  insertTask,
  makeRelayDue,
  storeTask,
} from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { tick, useFunctions } from '../support/functions.ts';

const functions = useFunctions();
const { database, broker } = functions;

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

describe('the scheduled functions', () => {
  it('relay-outbox publishes what was left unsent', async () => {
    const { owed } = await insertTask(database.sql, aTaskId(), ACTOR, aTask());
    await makeRelayDue(database.sql);
    await tick('relay-outbox');
    expect(await broker.drain()).toEqual([{ taskId: owed.taskId }]);
  });

  it('rescue-tasks queues the task of a worker that vanished', async () => {
    const task = await storeTask(database.sql);
    await claimed(database.sql, task);
    await expireLease(database.sql, task);
    await tick('rescue-tasks');
    expect(await broker.drain()).toEqual([{ taskId: task }]);
  });

  it('delete-ended-tasks deletes what ended more than 30 days ago', async () => {
    await database.sql`
      insert into errand.tasks (id, command, timeout_seconds, memory_mb, limits, status, finished_at)
      values (${aTaskId()}, 'true', 1, 16, '{}', 'cancelled', now() - interval '31 days')`;
    await tick('delete-ended-tasks');
    expect(await database.sql`select from errand.tasks`).toHaveLength(0);
  });

  it('fail while Postgres is away, so that their host tells, and work again after', async () => {
    await functions.databaseWire.cut();
    await expect(tick('relay-outbox')).rejects.toSatisfy(isDatabaseUnavailable);
    await functions.databaseWire.mend();
    await expect.poll(() => tick('relay-outbox').then(() => 'fine', String)).toBe('fine');
  });
});
