import type { Sql } from '../../lib/db/connection.ts';
import {
  type Claim,
  claimTask,
  oweUnclaimed,
  renewLeases,
  settleAttempt,
} from '../../lib/tasks/attempt-store.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel, requeueEnded } from '../../lib/tasks/task-store.ts';
import {
  abandonExpired,
  abandonHeld,
  deleteEnded,
  oweForgotten,
} from '../../lib/tasks/upkeep-store.ts';
import { ACTOR } from '../support/a-task.ts';
import { FAILED, NO_OUTPUT, SUCCEEDED } from './settlements.ts';

/** A task, and the attempt of its worker. */
export interface Subject {
  readonly id: TaskId;
  readonly attempt: number;
}

/** Every statement that writes to a task, as those who make it do. */
export const moves = {
  claim: (sql: Sql, { id }: Subject) => claim(sql, id),
  'owe a message': (sql: Sql, { id }: Subject) => oweUnclaimed(sql, id),
  renew: (sql: Sql, subject: Subject) => renewLeases(sql, [keyOf(subject)], 30),
  succeed: (sql: Sql, subject: Subject) => settleAttempt(sql, keyOf(subject), SUCCEEDED, NO_OUTPUT),
  fail: (sql: Sql, subject: Subject) => settleAttempt(sql, keyOf(subject), FAILED, NO_OUTPUT),
  'give back': (sql: Sql, subject: Subject) => abandonHeld(sql, keyOf(subject)),
  rescue: (sql: Sql) => abandonExpired(sql, 100),
  cancel: (sql: Sql, { id }: Subject) => requestCancel(sql, ACTOR, id),
  retry: (sql: Sql, { id }: Subject) => requeueEnded(sql, ACTOR, id),
  nudge: (sql: Sql) => oweForgotten(sql, 100),
} as const satisfies Record<string, (sql: Sql, subject: Subject) => Promise<unknown>>;

export type Move = keyof typeof moves;
export const MOVES = Object.keys(moves) as Move[];

/** The retention deletes what ended a moment ago. */
export const deleteNow = (sql: Sql) => deleteEnded(sql, 0, 100);

export function claim(sql: Sql, id: TaskId, leaseSeconds = 30): Promise<Claim | undefined> {
  return claimTask(sql, id, { leaseSeconds, sandboxTier: 'none' });
}

const keyOf = ({ id, attempt }: Subject) => ({ taskId: id, attempt });
