import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { Verifier } from '@pact-foundation/pact';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { claimTask } from '../../../lib/tasks/attempt-store.ts';
import type { TaskId } from '../../../lib/tasks/task.ts';
import { ACTOR, aTask, insertTask } from '../../support/a-task.ts';
import { deliver, useFunctions } from '../../support/functions.ts';
import { anSqsEvent, aRecordOf } from '../../support/sqs-event.ts';
import { sendInProcess } from '../in-process.ts';
import { TASKS } from './interactions.ts';
import { KEPT_PACT } from './kept-pact.ts';

const { database, broker } = useFunctions();
let server: Server;
let stopped = false;
let working: Promise<void> | undefined;

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const { status, headers, body } = await sendInProcess(await wireRequest(request));
    response.writeHead(status, headers).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  stopped = true;
  await working;
  server.close();
});

async function wireRequest(request: IncomingMessage) {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  const body = await buffer(request);
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: Array.from(searchParams),
    headers: Object.fromEntries(
      Object.entries(request.headers).map(([name, v]) => [name, String(v)]),
    ),
    body: body.length > 0 ? body : undefined,
  };
}

async function store(id: string): Promise<void> {
  await database.sql`truncate errand.tasks cascade`;
  await insertTask(database.sql, id as TaskId, ACTOR, aTask({ command: 'echo hello' }));
}

/** A worker, until the file is over. */
async function work(): Promise<void> {
  while (!stopped) {
    const messages = (await broker.drain()) as { taskId: string }[];
    await Promise.all(messages.map(({ taskId }) => deliver(anSqsEvent(aRecordOf(taskId)))));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const stateHandlers = {
  'nobody runs commands': async () => {},
  'somebody runs commands': async () => {
    working ??= work();
  },
  'a task has ended': async () => {
    await store(TASKS.ended);
    await deliver(anSqsEvent(aRecordOf(TASKS.ended)));
  },
  'a task runs': async () => {
    await store(TASKS.running);
    await claimTask(database.sql, TASKS.running as TaskId, {
      leaseSeconds: 60,
      sandboxTier: 'none',
    });
  },
  'the key order-7 was used for echo hello': async () => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'order-7' };
    const body = Buffer.from('{"command": "echo hello"}');
    await sendInProcess({ method: 'POST', path: '/api/tasks', query: [], headers, body });
  },
};

describe('errand', () => {
  it('keeps to the pact with its consumers', { timeout: 60_000 }, async () => {
    const { port } = server.address() as AddressInfo;
    await new Verifier({
      provider: 'errand',
      providerBaseUrl: `http://127.0.0.1:${port}`,
      pactUrls: [KEPT_PACT],
      stateHandlers,
      logLevel: 'error',
    }).verifyProvider();
  });
});
