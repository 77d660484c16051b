import { type Config, parseConfig } from './config/config.ts';
import { makePasswords, withDatabaseUrl } from './config/database-secret.ts';
import { connect, type Sql } from './db/connection.ts';
import { requireSchema } from './db/schema-version.ts';
import { type StatementWatch, watchStatements } from './db/statement-watch.ts';
import { logger } from './instruments.ts';
import { once } from './once.ts';
import { openSqsQueue } from './queue/sqs.ts';
import type { TaskQueue } from './queue/task-queue.ts';
import { type QueueName, tracePublishing } from './queue/traced-queue.ts';

export const config = /* @__PURE__ */ once(async () =>
  parseConfig(await withDatabaseUrl(process.env)),
);

interface Connections {
  readonly sql: Sql;
  readonly statements: StatementWatch;
  readonly queue: TaskQueue;
}

/** To the database, whatever its schema, and to the queue. */
export const connections = /* @__PURE__ */ once(async (): Promise<Connections> => {
  const { database, queue } = await config();
  const statements = watchStatements({ poolMax: database.poolMax, logger });
  return {
    sql: openPool(database, statements.observe),
    statements,
    queue: await openQueue(queue),
  };
});

/** Connects with the first statement. */
export function openPool(
  { url, ...settings }: Config['database'],
  observe?: StatementWatch['observe'],
): Sql {
  const password = makePasswords(process.env, url.reveal());
  return connect({ ...settings, url: url.reveal(), password, observe });
}

/** On AWS there is SQS alone, and the bundler leaves the other one out. */
async function openQueue(queue: Config['queue']): Promise<TaskQueue> {
  const name = queueNameOf(queue);
  if (queue.kind === 'sqs') return tracePublishing(openSqsQueue(queue, process.env), name);
  const { openRabbitQueue } = await import('./queue/rabbitmq.ts');
  return tracePublishing(openRabbitQueue({ ...queue, url: queue.url.reveal() }), name);
}

export function queueNameOf(queue: Config['queue']): QueueName {
  return queue.kind === 'sqs'
    ? { system: 'aws_sqs', destination: queue.url.replace(/^.*\//, '') }
    : { system: 'rabbitmq', destination: queue.queue };
}

/** The same, once the database has shown to have the right schema. @throws SchemaMismatch */
export const migratedConnections = /* @__PURE__ */ once(async () => {
  const { sql, queue } = await connections();
  await requireSchema(sql);
  return { sql, queue };
});
