import { randomUUID } from 'node:crypto';
import type {
  APIGatewayProxyEventV2,
  APIGatewayProxyStructuredResultV2,
  Context,
  SQSBatchResponse,
  SQSEvent,
} from 'aws-lambda';
import { afterAll, beforeAll, inject } from 'vitest';
import { type TestDatabase, useDatabase } from './database.ts';
import { type TestQueue, useQueue } from './queue.ts';
import { openProxy, type TcpProxy } from './tcp-proxy.ts';

/** The functions as Lambda runs them: configured by environment variables alone. */
export interface TestFunctions {
  readonly database: TestDatabase;
  readonly broker: TestQueue;
  /** Between the functions and Postgres. */
  readonly databaseWire: TcpProxy;
  /** Between the functions and the broker. */
  readonly queueWire: TcpProxy;
}

/** Configures the functions. To be imported by `load` only, as they read the environment once. */
export function useFunctions({ auth = 'none' }: { auth?: 'none' | 'keys' } = {}): TestFunctions {
  const database = useDatabase();
  const broker = useQueue();
  const wires = {
    database: undefined as unknown as TcpProxy,
    queue: undefined as unknown as TcpProxy,
  };
  beforeAll(async () => {
    wires.database = await openProxy(database.url);
    wires.queue = await openProxy(inject('sqsEndpoint'));
    Object.assign(process.env, {
      DATABASE_URL: wires.database.url,
      DATABASE_POOL_MAX: '4',
      TASK_QUEUE_URL: broker.settings.url,
      DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
      SQS_ENDPOINT: wires.queue.url,
      AUTH: auth,
      SANDBOX: 'unsafe-none',
      LOG_LEVEL: 'silent',
    });
  });
  afterAll(async () => {
    await wires.database.close();
    await wires.queue.close();
  });
  return {
    database,
    broker,
    get databaseWire() {
      return wires.database;
    },
    get queueWire() {
      return wires.queue;
    },
  };
}

/** An answer as a client reads it. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: each test asserts the shape it expects
  readonly body: any;
}

export type FunctionName =
  | 'cancel-task'
  | 'create-task'
  | 'create-tasks'
  | 'get-docs'
  | 'get-metrics'
  | 'get-openapi'
  | 'get-output'
  | 'get-stats'
  | 'get-task'
  | 'health-live'
  | 'health-ready'
  | 'list-audit'
  | 'list-dead-letters'
  | 'list-tasks'
  | 'redrive-dead-letters'
  | 'retry-task'
  | 'unknown-route';

/** Invokes an HTTP function as API Gateway does. */
export async function request(name: FunctionName, event: APIGatewayProxyEventV2): Promise<Answer> {
  const { handler } = await import(`../../functions/${name}.ts`);
  const answer: APIGatewayProxyStructuredResultV2 = await handler(event, aContext());
  return {
    status: answer.statusCode ?? 0,
    headers: (answer.headers ?? {}) as Record<string, string>,
    body: parse(answer.body),
  };
}

/** A document; or the text, where it is none. */
function parse(body: string | undefined): unknown {
  try {
    return JSON.parse(body || 'null');
  } catch {
    return body;
  }
}

/** Invokes the worker as an event source mapping does. */
export async function deliver(
  event: SQSEvent,
  context: Partial<Context> = {},
): Promise<SQSBatchResponse> {
  const { handler } = await import('../../functions/execute-task.ts');
  return (await handler(event, aContext(context), () => {})) as SQSBatchResponse;
}

/** Invokes a scheduled function. */
export async function tick(
  name: 'relay-outbox' | 'rescue-tasks' | 'delete-ended-tasks' | 'tally-tasks',
): Promise<void> {
  const { handler } = await import(`../../functions/${name}.ts`);
  await handler({}, aContext());
}

export function aContext(fields: Partial<Context> = {}): Context {
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionName: 'errand-test',
    functionVersion: '$LATEST',
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:errand-test',
    memoryLimitInMB: '256',
    awsRequestId: randomUUID(),
    logGroupName: '/aws/lambda/errand-test',
    logStreamName: '2026/01/01/[$LATEST]abc',
    getRemainingTimeInMillis: () => 900_000,
    done() {},
    fail() {},
    succeed() {},
    ...fields,
  };
}
