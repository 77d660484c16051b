import { describe, expect, it } from 'vitest';
import { claimTask } from '../../lib/tasks/attempt-store.ts';
import { usualLimits } from '../../lib/tasks/limits.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { aTaskId, expireLease, storeTask } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { theTask } from '../support/rows.ts';

const database = useDatabase();

const claim = (task: TaskId) =>
  claimTask(database.sql, task, { leaseSeconds: 30, sandboxTier: 'namespaces' });

describe('claimTask', () => {
  it('takes a queued task and begins its first attempt', async () => {
    const task = await storeTask(database.sql, {
      command: 'cat',
      stdin: Buffer.from([0, 255, 10]),
      env: { GREETING: 'hello' },
      timeoutSeconds: 7,
      memoryMb: 64,
    });
    expect(await claim(task)).toEqual({
      taskId: task,
      attempt: 1,
      command: {
        program: { kind: 'shell', command: 'cat' },
        stdin: Buffer.from([0, 255, 10]),
        env: { GREETING: 'hello' },
        tenant: 'default',
      },
      timeoutSeconds: 7,
      memoryMb: 64,
      waitedSeconds: expect.any(Number),
      traceparent: null,
      limits: usualLimits(60),
    });
    const { status, attempts } = await theTask(database.sql, task);
    expect(status).toBe('running');
    expect(attempts).toMatchObject([{ number: 1, status: 'running', sandboxTier: 'namespaces' }]);
  });

  it('gives a task to one of twenty workers that ask at once', async () => {
    const task = await storeTask(database.sql);
    const claims = await Promise.all(Array.from({ length: 20 }, () => claim(task)));
    expect(claims.filter((won) => won !== undefined)).toHaveLength(1);
    expect((await theTask(database.sql, task)).attempts).toHaveLength(1);
  });

  it('leaves a task whose lease ran out to the rescue', async () => {
    const task = await storeTask(database.sql);
    await claim(task);
    await expireLease(database.sql, task);
    expect(await claim(task)).toBeUndefined();
  });

  it('leaves a task alone that is not due', async () => {
    const task = await storeTask(database.sql, { delaySeconds: 60 });
    expect(await claim(task)).toBeUndefined();
    expect((await theTask(database.sql, task)).status).toBe('queued');
  });

  it('finds nothing to take where there is no task', async () => {
    expect(await claim(aTaskId())).toBeUndefined();
  });
});
