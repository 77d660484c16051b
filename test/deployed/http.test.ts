import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { APIGatewayProxyEventV2 } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { storeTask } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import { storeKey, type TestKey } from '../support/keys.ts';
import { useQueue } from '../support/queue.ts';
import { type Environment, startEnvironment, unpack } from './environment.ts';

const database = useDatabase();
const broker = useQueue();

const started = new Map<string, Promise<Environment>>();
afterAll(async () => {
  for (const environment of started.values()) await (await environment).close();
});

/** One environment for each function, warm from its second event on. */
function environmentOf(name: string): Promise<Environment> {
  const running = started.get(name) ?? start(name);
  started.set(name, running);
  return running;
}

async function start(name: string, variables = {}): Promise<Environment> {
  const task = await unpack(name);
  return startEnvironment({
    task,
    handler: `functions/${name}.handler`,
    variables: {
      DATABASE_URL: database.url,
      TASK_QUEUE_URL: broker.settings.url,
      DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
      SQS_ENDPOINT: inject('sqsEndpoint'),
      ...variables,
    },
  });
}

let key: TestKey;
beforeAll(async () => {
  key = await storeKey(database.sql);
});

async function request(name: string, event: APIGatewayProxyEventV2) {
  const headers = { ...event.headers, ...key.headers };
  const { body, error } = await (await environmentOf(name)).invoke({ ...event, headers });
  expect(error).toBeUndefined();
  return JSON.parse(body.toString()) as { statusCode: number; body: string };
}

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html */
async function documentedEvent(): Promise<APIGatewayProxyEventV2> {
  return JSON.parse(await readFile(join(import.meta.dirname, 'payload-2.0.json'), 'utf8'));
}

describe('the HTTP functions, packaged', () => {
  it('serve without traces where a collector is set, but was not for the deployment', async () => {
    const collector = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1' };
    const environment = await start('health-live', collector);
    const { error } = await environment.invoke(anHttpEvent({ path: '/health/live' }));
    expect(error).toBeUndefined();
    expect(environment.log()).toContain('has to be set for the deployment');
    await environment.close();
  });

  it('accept a task, as text and in base64', async () => {
    const post = aPost({ command: 'echo hello' });
    expect((await request('create-task', post)).statusCode).toBe(202);
    const body = Buffer.from(post.body ?? '').toString('base64');
    const inBase64 = { ...post, body, isBase64Encoded: true };
    expect((await request('create-task', inBase64)).statusCode).toBe(202);
  });

  it('answer the payload of the documentation, whose body is no task', async () => {
    const answer = await request('create-task', await documentedEvent());
    expect(answer.statusCode).toBeGreaterThanOrEqual(400);
    expect(answer.statusCode).toBeLessThan(500);
  });

  it('allow no command by a policy that came after the package, which has no grammar', async () => {
    const environment = await start('create-task', { COMMAND_POLICY: '{"default":"allow"}' });
    try {
      const event = aPost({ command: 'echo hello' });
      const headers = { ...event.headers, ...key.headers };
      const { body } = await environment.invoke({ ...event, headers });
      expect(JSON.parse(body.toString()).statusCode).toBe(500);
      expect(environment.log()).toContain('COMMAND_POLICY was not set when this was packaged');
    } finally {
      await environment.close();
    }
  });

  it.each([
    ['list-tasks', anHttpEvent({ path: '/api/tasks' }), 200],
    ['get-stats', anHttpEvent({ path: '/api/stats' }), 200],
    ['list-audit', anHttpEvent({ path: '/api/audit' }), 200],
    ['get-openapi', anHttpEvent({ path: '/openapi.json' }), 200],
    ['list-dead-letters', anHttpEvent({ path: '/api/dead-letters' }), 200],
    [
      'redrive-dead-letters',
      anHttpEvent({ method: 'POST', path: '/api/dead-letters/redrive' }),
      202,
    ],
    ['health-live', anHttpEvent({ path: '/health/live' }), 200],
    ['health-ready', anHttpEvent({ path: '/health/ready' }), 200],
    ['unknown-route', anHttpEvent({ path: '/nowhere' }), 404],
  ])('%s answers', async (name, event, status) => {
    expect((await request(name, event)).statusCode).toBe(status);
  });

  it.each([
    ['get-task', 'GET', '', 200],
    ['get-output', 'GET', '/output', 200],
    ['cancel-task', 'POST', '/cancel', 202],
    ['retry-task', 'POST', '/retry', 202],
  ])('%s finds its task', async (name, method, suffix, status) => {
    const taskId = await storeTask(database.sql);
    if (name === 'retry-task') {
      await database.sql`
        update errand.tasks set status = 'cancelled', finished_at = now() where id = ${taskId}`;
    }
    const path = `/api/tasks/${taskId}${suffix}`;
    const answer = await request(name, anHttpEvent({ method, path, pathParameters: { taskId } }));
    expect(answer.statusCode).toBe(status);
  });
});

describe('the page of the API, packaged', () => {
  it('has what it is made of', async () => {
    const page = await request('get-docs', anHttpEvent({ path: '/docs' }));
    expect(page.statusCode).toBe(200);
    const [, asset = ''] = /src="docs\/(swagger-ui-bundle[^"?]*)/.exec(page.body) ?? [];
    const event = anHttpEvent({ path: `/docs/${asset}`, pathParameters: { asset } });
    expect((await request('get-docs', event)).statusCode).toBe(200);
  });
});

describe('the scheduled functions, packaged', () => {
  it.each(['relay-outbox', 'rescue-tasks', 'tally-tasks', 'delete-ended-tasks'])(
    '%s has its turn',
    async (name) => {
      const { error } = await (await environmentOf(name)).invoke({
        'detail-type': 'Scheduled Event',
      });
      expect(error).toBeUndefined();
    },
  );

  it('relay-outbox tells for how long a message has been owed', async () => {
    const taskId = await storeTask(database.sql);
    await database.sql`
      insert into errand.outbox (task_id, due_at, relay_at)
      values (${taskId}, now() - interval '1 hour', now())`;
    const environment = await environmentOf('relay-outbox');
    await environment.invoke({ 'detail-type': 'Scheduled Event' });
    const lines = environment
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{"_aws"'));
    const line = lines.findLast((text) => text.includes('errand_relay_lag_seconds'));
    const {
      service,
      errand_relay_lag_seconds: [lag],
    } = JSON.parse(line ?? '{}');
    expect(service).toMatch(/^errand/);
    expect(lag).toBeGreaterThanOrEqual(3600);
    expect(lag).toBeLessThan(3700);
  });
});
