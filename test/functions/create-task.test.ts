import { beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';

const functions = useFunctions();
const { database, broker } = functions;

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const post = (document: unknown, headers = {}) => request('create-task', aPost(document, headers));

describe('POST /api/tasks', () => {
  it('answers 202 with the task and where to find it', async () => {
    const { status, headers, body } = await post({ command: 'echo hello' });
    expect(status).toBe(202);
    expect(headers['content-type']).toBe('application/json; charset=utf-8');
    expect(headers.location).toBe(`/api/tasks/${body.id}`);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-7/),
      command: 'echo hello',
      status: 'queued',
      attempt: 0,
      maxAttempts: 1,
      retryDelaySeconds: 10,
      onWorkerLost: 'rerun',
      exitCode: null,
      signal: null,
      usage: null,
      failure: null,
      timeoutSeconds: 60,
      memoryMb: 256,
      limits: {
        cpuSeconds: 240,
        processes: 64,
        fileMb: 64,
        diskMb: 128,
        openFiles: 256,
        stdoutBytes: 1_048_576,
        stderrBytes: 1_048_576,
      },
      labels: {},
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      runAt: body.createdAt,
      startedAt: null,
      finishedAt: null,
      cancelRequestedAt: null,
      stdout: null,
      stderr: null,
      attempts: [],
    });
    expect(await broker.drain()).toEqual([{ taskId: body.id }]);
  });

  it('keeps the limits that a task names, and the usual ones for the rest', async () => {
    const { body } = await post({
      command: 'true',
      timeoutSeconds: 5,
      limits: { processes: 3, stdoutBytes: 0 },
    });
    expect(body.limits).toEqual({
      cpuSeconds: 20,
      processes: 3,
      fileMb: 64,
      diskMb: 128,
      openFiles: 256,
      stdoutBytes: 0,
      stderrBytes: 1_048_576,
    });
  });

  it('shows how it is to be run again, as the task says it', async () => {
    const again = { maxAttempts: 3, retryDelaySeconds: 0, onWorkerLost: 'fail' };
    const { body } = await post({ command: 'true', ...again });
    expect(body).toMatchObject(again);
    const path = `/api/tasks/${body.id}`;
    const pathParameters = { taskId: body.id };
    const read = await request('get-task', anHttpEvent({ path, pathParameters }));
    expect(read.body).toMatchObject(again);
  });

  it('takes an argument vector instead of a shell command', async () => {
    const { status, body } = await post({ argv: ['printf', '%s', ''] });
    expect(status).toBe(202);
    expect(body.argv).toEqual(['printf', '%s', '']);
    expect(body).not.toHaveProperty('command');
  });

  it.each([
    [
      'a media type with a parameter',
      aPost({ command: 'true' }, { 'content-type': 'application/json; charset=utf-8' }),
    ],
    [
      'a media type in capitals',
      aPost({ command: 'true' }, { 'content-type': 'Application/JSON' }),
    ],
    [
      'a body in base64, as API Gateway sends binary media types',
      {
        ...aPost({}),
        body: Buffer.from('{"command":"true"}').toString('base64'),
        isBase64Encoded: true,
      },
    ],
    [
      'a byte order mark, as some shells write it',
      { ...aPost({}), body: '\uFEFF{"command":"true"}' },
    ],
    ['the page of our own origin', aPost({ command: 'true' }, { origin: 'http://localhost:3500' })],
    ['a command of exactly 64 KiB', aPost({ command: `#${'x'.repeat(64 * 1024 - 1)}` })],
    [
      'a whole number written as a fraction',
      { ...aPost({}), body: '{"command":"true","timeoutSeconds":5.0}' },
    ],
    [
      'a field twice, of which the last one counts',
      { ...aPost({}), body: '{"command":5,"command":"true"}' },
    ],
    [
      'a start in the past, which means now',
      aPost({ command: 'true', runAt: '0000-01-01T00:00:00Z' }),
    ],
    [
      'a start in another time zone',
      aPost({ command: 'true', runAt: new Date().toISOString().replace('Z', '+05:30') }),
    ],
    [
      'variables with names that objects know',
      aPost({ command: 'true', env: { toString: 'x', constructor: 'y' } }),
    ],
    [
      '32 labels of 256 bytes',
      aPost({
        command: 'true',
        labels: Object.fromEntries(
          Array.from({ length: 32 }, (_, n) => [String(n).padEnd(256, 'k'), 'v'.repeat(256)]),
        ),
      }),
    ],
  ])('takes %s', async (_what, event) => {
    expect(await request('create-task', event)).toMatchObject({ status: 202 });
  });
});

describe('POST /api/tasks, when our own parts are away,', () => {
  it('answers 503 while Postgres is away, and works again after, without a restart', async () => {
    await functions.databaseWire.cut();
    const answer = await post({ command: 'ls' });
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers['retry-after']).toBe('1');
    expect(answer.body.detail).toBe('The database is not available. Try again shortly.');
    await functions.databaseWire.mend();
    await eventually(async () =>
      expect(await post({ command: 'ls' })).toMatchObject({ status: 202 }),
    );
  });

  it('answers 202 while the broker is away, as the task is stored', async () => {
    await functions.queueWire.cut();
    const { status, body } = await post({ command: 'ls' });
    expect(status).toBe(202);
    expect(await database.sql`select from errand.tasks where id = ${body.id}`).toHaveLength(1);
    await functions.queueWire.mend();
  });

  it('says nothing of the cause of a mistake of ours', async () => {
    await database.sql`alter table errand.tasks add constraint broken check (command is null) not valid`;
    const answer = await post({ command: 'ls' });
    expectProblem(answer, 500, 'internal_error');
    expect(answer.body.detail).toBe('Something went wrong on our side.');
    expect(JSON.stringify(answer.body)).not.toContain('broken');
    await database.sql`alter table errand.tasks drop constraint broken`;
  });
});
