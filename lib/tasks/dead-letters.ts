import { EVERYBODY, type Tenant } from '../access/caller.ts';
import type { Sql } from '../db/connection.ts';
import {
  type DeadLetter,
  type PickLetters,
  parseBody,
  type TaskQueue,
} from '../queue/task-queue.ts';
import type { TaskId } from './task.ts';

/** The tenant of whoever runs the system. */
const OPERATOR = EVERYBODY.tenant;

export type ListDeadLetters = (tenant: Tenant, limit: number) => Promise<DeadLetter[]>;

/** The tenant's letters, up to a limit. @throws QueueUnavailable */
export function makeListDeadLetters(deps: { sql: Sql; queue: TaskQueue }): ListDeadLetters {
  return (tenant, limit) => deps.queue.deadLetters(limit, lettersOf(deps.sql, tenant));
}

/**
 * One queue holds the letters of all tenants. A letter belongs to whom its task belongs to; one that
 * belongs to no task (it is no message of ours, or its task was deleted) to the operator, because
 * somebody has to see it, and it tells nothing about anybody.
 */
export function lettersOf(sql: Sql, tenant: Tenant): PickLetters {
  return async (letters) => {
    const tenants = await tenantsOf(sql, letters.flatMap(taskOf));
    return letters.filter((letter) => {
      const [task] = taskOf(letter);
      return ((task && tenants.get(task)) ?? OPERATOR) === tenant;
    });
  };
}

async function tenantsOf(sql: Sql, tasks: readonly TaskId[]): Promise<Map<TaskId, Tenant>> {
  const rows = await sql<{ id: TaskId; tenant: Tenant }[]>`/* tenantsOf */
    select id, tenant from errand.tasks where id = any(${[...tasks]}::uuid[])`;
  return new Map(rows.map(({ id, tenant }) => [id, tenant]));
}

/** Of the letter's message; none when it is no message of ours. */
function taskOf({ body }: DeadLetter): TaskId[] {
  const message = parseBody(body);
  // As Postgres writes it.
  return message ? [message.taskId.toLowerCase() as TaskId] : [];
}
