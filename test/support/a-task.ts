import { v7 as uuidv7 } from 'uuid';
import type { Sql } from '../../lib/db/connection.ts';
import { usualLimits } from '../../lib/tasks/limits.ts';
import type { NewTask, TaskId, Tenant } from '../../lib/tasks/task.ts';
import { insertTask } from '../../lib/tasks/task-store.ts';

export const TENANT = 'default' as Tenant;

/** What a test may say about a task; the rest is valid. */
export interface TaskFields extends Partial<NewTask> {
  readonly command?: string;
  readonly argv?: readonly string[];
}

export function aTask({ command = 'true', argv, ...fields }: TaskFields = {}): NewTask {
  return {
    program: argv ? { kind: 'argv', argv } : { kind: 'shell', command },
    stdin: Buffer.alloc(0),
    env: {},
    timeoutSeconds: 60,
    memoryMb: 256,
    limits: usualLimits(60),
    labels: {},
    maxAttempts: 1,
    retryDelaySeconds: 10,
    runAt: undefined,
    delaySeconds: 0,
    onWorkerLost: 'rerun',
    ...fields,
  };
}

export function aTaskId(): TaskId {
  return uuidv7() as TaskId;
}

/** Stores a queued task whose message has been published. */
export async function storeTask(
  sql: Sql,
  fields?: TaskFields,
  tenant: Tenant = TENANT,
): Promise<TaskId> {
  const { task, owed } = await insertTask(sql, aTaskId(), tenant, aTask(fields));
  await sql`delete from errand.outbox where id = ${owed.id}`;
  return task.id;
}

/** Moves time: the lease of a running task ran out a second ago. */
export async function expireLease(sql: Sql, taskId: TaskId): Promise<void> {
  await sql`
    update errand.tasks set lease_expires_at = now() - interval '1 second' where id = ${taskId}`;
}

/** Moves time: whatever is owed to the queue is now for the relay. */
export async function makeRelayDue(sql: Sql): Promise<void> {
  await sql`update errand.outbox set relay_at = now() - interval '1 second'`;
}
