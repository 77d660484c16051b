import { describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import type { DeadLetter } from '../../lib/queue/task-queue.ts';
import { lettersOf } from '../../lib/tasks/dead-letters.ts';
import { aTaskId, storeTask, TENANT } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
const ACME = 'acme' as Tenant;

const letter = (body: string): DeadLetter => ({
  id: body,
  body,
  receiveCount: 5,
  sentAt: new Date(),
});
const about = (taskId: string) => letter(JSON.stringify({ taskId }));

describe('lettersOf', () => {
  it('picks those of the tenant, and for the operator what belongs to no task, too', async () => {
    const ours = about(await storeTask(database.sql, {}, ACME));
    const shouted = about((await storeTask(database.sql, {}, ACME)).toUpperCase());
    const theirs = about(await storeTask(database.sql, {}, 'other' as Tenant));
    const operators = about(await storeTask(database.sql));
    const deleted = about(aTaskId());
    const garbage = ['', 'null', '{"taskId":7}', '{"taskId":"x"}', '[]', '{'].map(letter);
    const letters = [ours, shouted, theirs, operators, deleted, ...garbage];

    expect(await lettersOf(database.sql, ACME)(letters)).toEqual([ours, shouted]);
    expect(await lettersOf(database.sql, 'new' as Tenant)(letters)).toEqual([]);
    expect(await lettersOf(database.sql, TENANT)(letters)).toEqual([
      operators,
      deleted,
      ...garbage,
    ]);
  });
});
