import { v7 as uuidv7 } from 'uuid';
import type { Actor, Tenant } from '../../lib/access/caller.ts';
import type { Sql } from '../../lib/db/connection.ts';
import { insertTasks } from '../../lib/tasks/insert-tasks.ts';
import { usualLimits } from '../../lib/tasks/limits.ts';
import type { NewTask, TaskId } from '../../lib/tasks/task.ts';

export const TENANT = 'default' as Tenant;
export const ACTOR = actorOf(TENANT);

/** Somebody of a tenant, without an API key. */
export function actorOf(tenant: Tenant): Actor {
  return { tenant, keyId: null, requestId: 'test', sourceIp: '127.0.0.1' };
}

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

/** Stores a task and the message that it owes. */
export async function insertTask(sql: Sql, id: TaskId, actor: Actor, task: NewTask) {
  const inserted = await insertTasks(sql, actor, [{ ...task, id }], undefined);
  const [stored] = inserted?.tasks ?? [];
  const [owed] = inserted?.owed ?? [];
  if (!stored || !owed) throw new Error('the task was not stored');
  return { task: stored, owed };
}

/** Stores a queued task whose message has been published. */
export async function storeTask(
  sql: Sql,
  fields?: TaskFields,
  tenant: Tenant = TENANT,
): Promise<TaskId> {
  const { task, owed } = await insertTask(sql, aTaskId(), actorOf(tenant), aTask(fields));
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
