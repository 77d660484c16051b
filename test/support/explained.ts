import type { Sql } from '../../lib/db/connection.ts';

/** What postgres.js 3.4.9 knows of a query once it was sent. */
interface SentQuery {
  readonly string?: string;
  /** As they were sent. */
  readonly parameters?: readonly (string | null)[];
}

/** A node of a plan, as `explain (format json)` gives it. */
export interface PlanNode {
  readonly 'Node Type': string;
  readonly 'Index Name'?: string;
  readonly 'Actual Rows': number;
  readonly 'Actual Loops': number;
  readonly Plans?: readonly PlanNode[];
}

/** All nodes of the plans of the statements that `work` sends, run again with their parameters. */
export async function explained(
  sql: Sql,
  work: (sql: Sql) => Promise<unknown>,
): Promise<PlanNode[]> {
  const sent: (SentQuery & PromiseLike<unknown>)[] = [];
  const noting = new Proxy(sql, {
    apply(target, self, args) {
      const query = Reflect.apply(target, self, args);
      sent.push(query);
      return query;
    },
  });
  await work(noting);
  const nodes: PlanNode[] = [];
  // Fragments were never sent.
  for (const { string, parameters = [] } of sent.filter((query) => query.string)) {
    const literals = parameters.map((text) =>
      text === null ? 'null' : `'${text.replaceAll("'", "''")}'`,
    );
    const statement = string?.replaceAll(/\$(\d+)/g, (_, n) => literals[Number(n) - 1] ?? 'null');
    const [row] = await sql.unsafe(`explain (analyze, format json) ${statement}`);
    const plans = row?.['QUERY PLAN'] as { Plan: PlanNode }[];
    for (const { Plan } of plans) collect(Plan, nodes);
  }
  return nodes;
}

function collect(node: PlanNode, into: PlanNode[]): void {
  into.push(node);
  for (const child of node.Plans ?? []) collect(child, into);
}
