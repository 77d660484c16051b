import { randomUUID } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { storeTask } from '../support/a-task.ts';
import { useDatabase } from '../support/database.ts';
import { eventually } from '../support/eventually.ts';
import { useQueue } from '../support/queue.ts';
import { theTask } from '../support/rows.ts';
import { aRecord, aRecordOf } from '../support/sqs-event.ts';
import { type Environment, startEnvironment, unpack } from './environment.ts';
import { type LambdaService, serveLambda } from './lambda-service.ts';

const database = useDatabase();
const broker = useQueue();
const BUCKET = `cancellations-${randomUUID()}`;

let runner: Environment;
let worker: Environment;
let lambda: LambdaService;

beforeAll(async () => {
  const keys = { accessKeyId: 'test', secretAccessKey: 'test', service: 's3', region: 'us-east-1' };
  await new AwsClient(keys).fetch(`${inject('sqsEndpoint')}/${BUCKET}`, { method: 'PUT' });
  const runnerCode = await unpack('run-command');
  runner = await startEnvironment({
    task: runnerCode,
    handler: 'functions/run-command.handler',
    memoryMb: 2560,
  });
  lambda = await serveLambda(() => runner);
  const task = await unpack('execute-task');
  worker = await startEnvironment({
    task,
    handler: 'functions/execute-task.handler',
    variables: {
      DATABASE_URL: database.url,
      TASK_QUEUE_URL: broker.settings.url,
      DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
      SQS_ENDPOINT: inject('sqsEndpoint'),
      SANDBOX: 'runner',
      RUNNER_FUNCTION: 'errand-test-run-command',
      AWS_ENDPOINT_URL_LAMBDA: lambda.url,
      CANCELLATION_BUCKET: BUCKET,
      S3_ENDPOINT: inject('sqsEndpoint'),
    },
  });
});

afterAll(async () => {
  await worker?.close();
  await lambda?.close();
  await runner?.close();
});

async function deliver(records: ReturnType<typeof aRecord>[], timeoutMs = 900_000) {
  const { body, error } = await worker.invoke({ Records: records }, { timeoutMs });
  expect(error).toBeUndefined();
  return JSON.parse(body.toString());
}

describe('execute-task and run-command, packaged', () => {
  it('run the command of a message, for its tenant', async () => {
    const id = await storeTask(database.sql, {
      command: 'cat; echo err >&2; exit 3',
      stdin: Buffer.from('in'),
    });
    expect(await deliver([aRecordOf(id)])).toEqual({ batchItemFailures: [] });
    const task = await theTask(database.sql, id);
    expect(task.status).toBe('failed');
    expect(task.attempts).toMatchObject([{ sandboxTier: 'runner', result: { exitCode: 3 } }]);
    expect(task.output?.stdout.bytes.toString()).toBe('in');
    expect(lambda.tenants.at(-1)).toBe('default');
  });

  it('report the message that failed, and it alone', async () => {
    const id = await storeTask(database.sql, { command: 'true' });
    const bad = aRecord({ body: 'no task' });
    expect(await deliver([bad, aRecordOf(id)])).toEqual({
      batchItemFailures: [{ itemIdentifier: bad.messageId }],
    });
    expect((await theTask(database.sql, id)).status).toBe('succeeded');
  });

  it('try again when Lambda throttles', async () => {
    lambda.throttle(2);
    const id = await storeTask(database.sql, { command: 'echo at last' });
    expect(await deliver([aRecordOf(id)])).toEqual({ batchItemFailures: [] });
    expect((await theTask(database.sql, id)).status).toBe('succeeded');
  });

  it('end a command that is cancelled, soon', async () => {
    const id = await storeTask(database.sql, { command: 'sleep 60' });
    const delivery = deliver([aRecordOf(id)]);
    await eventually(async () => {
      expect((await theTask(database.sql, id)).status).toBe('running');
    });
    await database.sql`update errand.tasks set cancel_requested_at = now() where id = ${id}`;
    const asked = performance.now();
    expect(await delivery).toEqual({ batchItemFailures: [] });
    expect(performance.now() - asked).toBeLessThan(5000);
    expect((await theTask(database.sql, id)).status).toBe('cancelled');
  });

  it('give a command back that the worker has no time for', async () => {
    const id = await storeTask(database.sql, { command: 'sleep 60' });
    // Of which it keeps 10 s to settle (functions/execute-task.ts).
    expect(await deliver([aRecordOf(id)], 11_000)).toEqual({ batchItemFailures: [] });
    expect((await theTask(database.sql, id)).status).toBe('queued');
  });
});
