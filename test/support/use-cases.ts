import { afterAll, beforeAll, inject } from 'vitest';
import { openSqsQueue } from '../../lib/queue/sqs.ts';
import type { TaskQueue } from '../../lib/queue/task-queue.ts';
import type { PublishDeps } from '../../lib/tasks/publish-owed.ts';
import { type TestDatabase, useDatabase } from './database.ts';
import { type TestQueue, useQueue } from './queue.ts';
import { quiet } from './quiet.ts';
import { openProxy, type TcpProxy } from './tcp-proxy.ts';

/** What use cases work with: a database and a queue of the file's own. */
export interface TestSystem {
  readonly database: TestDatabase;
  readonly broker: TestQueue;
  /** The dependencies of a use case, with a broker that can be cut off. */
  readonly deps: PublishDeps;
  /** Between `deps` and the broker. */
  readonly wire: TcpProxy;
}

export function useSystem(): TestSystem {
  const database = useDatabase();
  const broker = useQueue();
  let queue: TaskQueue;
  let wire: TcpProxy;
  beforeAll(async () => {
    wire = await openProxy(inject('sqsEndpoint'));
    queue = openSqsQueue({ ...broker.settings, endpoint: wire.url }, process.env);
  });
  afterAll(async () => {
    await queue.close();
    await wire.close();
  });
  return {
    database,
    broker,
    get deps() {
      return { sql: database.sql, queue, logger: quiet };
    },
    get wire() {
      return wire;
    },
  };
}
