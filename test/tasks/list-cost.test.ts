import { beforeAll, describe, expect, it } from 'vitest';
import { makeListTasks } from '../../lib/tasks/list-tasks.ts';
import type { Place, TaskFilter } from '../../lib/tasks/task-walk.ts';
import { TENANT } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { explained, type PlanNode } from '../support/explained.ts';
import { storeHistory } from '../support/history.ts';

const TASKS = 50_000;
const LIMIT = 50;

const database = useDatabase();

beforeAll(async () => {
  await storeHistory(database.sql, TASKS);
}, 60_000);

const everything: TaskFilter = {
  statuses: [],
  labels: {},
  createdAfter: undefined,
  createdBefore: undefined,
  text: undefined,
};

const nodesOf = (filter: Partial<TaskFilter>, after?: Place) =>
  explained(database.sql, (sql) =>
    makeListTasks({ sql })(TENANT, { ...everything, ...filter }, { limit: LIMIT, after }),
  );

/** The most rows that any one step of the plans gave. */
const mostRows = (nodes: readonly PlanNode[]) =>
  Math.max(...nodes.map((node) => node['Actual Rows'] * node['Actual Loops']));

const indexesOf = (nodes: readonly PlanNode[]) => nodes.map((node) => node['Index Name']);

/** The place of the nth newest task. */
async function placeOf(n: number): Promise<Place> {
  const [place] = await database.sql<[Place]>`
    select created_at as "createdAt", id from errand.tasks
     where tenant = ${TENANT} order by created_at desc, id desc offset ${n} limit 1`;
  return place;
}

describe('a page of a long list', () => {
  it.each([
    ['of all tasks', {}, 'tasks_by_creation'],
    ['of one status', { statuses: ['failed'] as const }, 'tasks_by_status'],
    ['of several statuses', { statuses: ['failed', 'cancelled'] as const }, 'tasks_by_status'],
    ['with a label', { labels: { team: 'team-1' } }, 'task_labels_pkey'],
    ['with a rare label', { labels: { rare: 'yes' } }, 'task_labels_pkey'],
  ])('%s is read from its index, and reads no more than it shows', async (_what, filter, index) => {
    for (const after of [undefined, await placeOf(TASKS - 20_000)]) {
      const nodes = await nodesOf(filter, after);
      expect(indexesOf(nodes)).toContain(index);
      expect(nodes.map((node) => node['Node Type'])).not.toContain('Seq Scan');
      expect(mostRows(nodes)).toBeLessThanOrEqual(2 * (LIMIT + 1));
    }
  });

  it('between two times reads what is between them', async () => {
    const [newer, older] = [await placeOf(30_000), await placeOf(30_020)];
    const between = { createdBefore: newer.createdAt, createdAfter: older.createdAt };
    const nodes = await nodesOf(between);
    expect(indexesOf(nodes)).toContain('tasks_by_creation');
    expect(mostRows(nodes)).toBe(19);
  });

  it('with two labels is read from the index of the rarer one', async () => {
    const labels = { team: 'team-2', rare: 'yes' };
    const nodes = await nodesOf({ labels });
    expect(indexesOf(nodes)).toContain('task_labels_pkey');
    // Counting up to a thousand tells which one is rare.
    expect(mostRows(nodes)).toBeLessThanOrEqual(1000);
  });

  it('with a text that no task has looks at no more than 20,000 tasks', async () => {
    const nodes = await nodesOf({ text: 'no command has this' });
    expect(mostRows(nodes)).toBe(20_000);
  });

  it('finds what is rare over several pages, and comes to an end', async () => {
    const list = makeListTasks({ sql: database.sql });
    const found: string[] = [];
    let pages = 0;
    for (let after: Place | undefined; pages === 0 || after; pages++) {
      const filter = { ...everything, text: 'ECHO 49999' };
      const page = await list(TENANT, filter, { limit: LIMIT, after });
      found.push(...page.tasks.map(({ program }) => JSON.stringify(program)));
      after = page.next;
    }
    expect(found).toEqual(['{"kind":"shell","command":"echo 49999"}']);
    expect(pages).toBe(3);
  });
});
