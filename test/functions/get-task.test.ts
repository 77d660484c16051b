import { beforeEach, describe, expect, it } from 'vitest';
import type { Tenant } from '../../lib/access/caller.ts';
import { settleAttempt } from '../../lib/tasks/attempt-store.ts';
import { seqBefore, storeOutput } from '../../lib/tasks/output-store.ts';
import { settlementOf } from '../../lib/tasks/settlement.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel, requeueEnded } from '../../lib/tasks/task-store.ts';
import { ACTOR, aTaskId, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { eventually } from '../support/eventually.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';

const functions = useFunctions();
const { database } = functions;

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
});

const get = (taskId: string, query = '', headers: Record<string, string> = {}) =>
  request(
    'get-task',
    anHttpEvent({ path: `/api/tasks/${taskId}`, pathParameters: { taskId }, query, headers }),
  );

/** A task that ended with exit code 0 after writing these bytes, of which some were cut off. */
async function storeEnded(stdout: Buffer, totalBytes = stdout.length): Promise<TaskId> {
  const task = await storeTask(database.sql);
  const claim = await claimed(database.sql, task);
  const nothing = { bytes: Buffer.alloc(0), totalBytes: 0, truncated: false };
  const settlement = settlementOf({
    ending: { kind: 'exited', exitCode: 0 },
    stdout: { bytes: stdout, totalBytes, truncated: totalBytes > stdout.length },
    stderr: nothing,
    usage: { wallMs: 12, cpuMs: 3, maxRssBytes: 4096 },
  });
  await settleAttempt(database.sql, claim, settlement, {
    firstSeq: seqBefore(1) + 1,
    chunks: [{ stream: 'stdout', bytes: stdout }],
  });
  return task;
}

describe('GET /api/tasks/{taskId}', () => {
  it('shows a queued task without output', async () => {
    const { status, body } = await get(await storeTask(database.sql));
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'queued', stdout: null, stderr: null, attempts: [] });
  });

  it('shows a running task with what it has written, which is nothing yet', async () => {
    const task = await storeTask(database.sql);
    await claimed(database.sql, task);
    expect((await get(task)).body).toMatchObject({
      status: 'running',
      attempt: 1,
      stdout: '',
      exitCode: null,
      usage: null,
      attempts: [{ number: 1, status: 'running', sandboxTier: 'none', finishedAt: null }],
    });
  });

  it('shows how a task ended and what it wrote', async () => {
    const { body } = await get(await storeEnded(Buffer.from('hello\n')));
    expect(body).toMatchObject({
      status: 'succeeded',
      exitCode: 0,
      signal: null,
      failure: null,
      stdout: 'hello\n',
      stdoutEncoding: 'utf8',
      stdoutTruncated: false,
      stdoutBytes: 6,
      stderr: '',
      usage: { wallMs: 12, cpuMs: 3, maxRssBytes: 4096 },
    });
  });

  it('gives output that is not UTF-8 in base64, byte by byte', async () => {
    const bytes = Buffer.from([0x68, 0x69, 0xff, 0x00, 0xfe]);
    const { body } = await get(await storeEnded(bytes));
    expect(body).toMatchObject({ stdout: 'aGn/AP4=', stdoutEncoding: 'base64' });
  });

  it.each([1, 2, 3])(
    'keeps a text a text that is cut after %i bytes of a character',
    async (cut) => {
      const whole = Buffer.from('ok 🚀');
      const { body } = await get(await storeEnded(whole.subarray(0, 3 + cut), whole.length));
      expect(body).toMatchObject({
        stdout: 'ok ',
        stdoutEncoding: 'utf8',
        stdoutTruncated: true,
        stdoutBytes: 7,
      });
    },
  );

  it('marks a text that ends within a character by itself as what it is', async () => {
    const { body } = await get(await storeEnded(Buffer.from('ok 🚀').subarray(0, 5)));
    expect(body).toMatchObject({ stdout: 'b2sg8J8=', stdoutEncoding: 'base64' });
  });

  it('stays below the 6 MB that Lambda answers, whatever a command wrote', async () => {
    const { body } = await get(await storeEnded(Buffer.alloc(1024 * 1024, '\u0001')));
    expect(body.stdoutEncoding).toBe('base64');
    expect(JSON.stringify(body).length).toBeLessThan(3_000_000);
  });

  it('shows what an attempt wrote that its worker did not survive', async () => {
    const task = await storeTask(database.sql);
    const claim = await claimed(database.sql, task);
    const chunks = [{ stream: 'stdout', bytes: Buffer.from('so far') }] as const;
    await storeOutput(database.sql, claim, { firstSeq: seqBefore(1) + 1, chunks });
    await database.sql`
      update errand.attempts set status = 'failed', finished_at = now(),
             failure_code = 'worker_lost', failure_message = 'x' where task_id = ${task}`;
    expect((await get(task)).body).toMatchObject({
      stdout: 'so far',
      stdoutBytes: 6,
      stderr: '',
      exitCode: null,
    });
  });

  it('has a tag once it has ended, and answers 304 to who knows it', async () => {
    const task = await storeEnded(Buffer.from('hello\n'));
    const { headers } = await get(task);
    expect(headers.etag).toMatch(/^"1-\d+-succeeded"$/);
    for (const known of [headers.etag, `W/${headers.etag}`, `"x", ${headers.etag}`, '*']) {
      const again = await get(task, '', { 'if-none-match': known ?? '' });
      expect([again.status, again.body, again.headers.etag]).toEqual([304, null, headers.etag]);
    }
    expect(await get(task, '', { 'if-none-match': '"1-2-failed"' })).toMatchObject({ status: 200 });
  });

  it('has another tag after it was run again', async () => {
    const task = await storeEnded(Buffer.from('hello\n'));
    const { headers } = await get(task);
    await requeueEnded(database.sql, ACTOR, task);
    const running = await get(task, '', { 'if-none-match': headers.etag ?? '' });
    expect([running.status, running.headers.etag]).toEqual([200, undefined]);
    await requestCancel(database.sql, ACTOR, task);
    const ended = await get(task, '', { 'if-none-match': headers.etag ?? '' });
    expect(ended.status).toBe(200);
    expect(ended.headers.etag).not.toBe(headers.etag);
  });

  it('tells when its newest attempt started, and nothing while it is to run again', async () => {
    const task = await storeEnded(Buffer.from('x'));
    const first = (await get(task)).body;
    expect(first.startedAt).toBe(first.attempts[0].startedAt);
    await requeueEnded(database.sql, ACTOR, task);
    expect((await get(task)).body.startedAt).toBeNull();
    await claimed(database.sql, task);
    const second = (await get(task)).body;
    expect(second.startedAt).toBe(second.attempts[1].startedAt);
    expect(second.startedAt).not.toBe(first.startedAt);
  });

  it('takes the id that clients of old send once more, and ignores it', async () => {
    const task = await storeTask(database.sql);
    const answer = await get(task, 'id=e144c0ef-96c2-4f7d-8425-726134f152e9');
    expect(answer).toMatchObject({ status: 200, body: { id: task } });
  });

  it('refuses query parameters that it does not know, and says which it knows', async () => {
    const answer = await get(await storeTask(database.sql), 'waits=5');
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.detail).toBe('waits: is not a known parameter: known are wait, id');
  });

  it('finds a task whose id is written in capitals', async () => {
    const task = await storeTask(database.sql);
    expect((await get(task.toUpperCase())).body.id).toBe(task);
  });

  it('answers 404 for a task that is not there', async () => {
    const task = aTaskId();
    const answer = await get(task);
    expectProblem(answer, 404, 'task_not_found');
    expect(answer.body.detail).toBe(`There is no task ${task}.`);
  });

  it('answers 404 for the task of another tenant, as if it were not there', async () => {
    const task = await storeTask(database.sql, {}, 'somebody-else' as Tenant);
    expectProblem(await get(task), 404, 'task_not_found');
  });

  it.each(['1', 'undefined', "' or 1=1 --", '00000000-0000-0000-0000-00000000000g', '%00', '..'])(
    'answers 400 for the id %j',
    async (taskId) => {
      const answer = await get(taskId);
      expectProblem(answer, 400, 'invalid_request');
      expect(answer.body.errors).toEqual([
        { path: 'taskId', message: 'must be a UUID, as in the "id" of a task' },
      ]);
    },
  );

  it.each(['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'])(
    'takes any well-formed UUID: %s',
    async (taskId) => {
      expectProblem(await get(taskId), 404, 'task_not_found');
    },
  );

  it('answers 503 while Postgres is away, and works again after, without a restart', async () => {
    const task = await storeTask(database.sql);
    await functions.databaseWire.cut();
    const answer = await get(task);
    expectProblem(answer, 503, 'unavailable');
    expect(answer.headers['retry-after']).toBe('1');
    await functions.databaseWire.mend();
    await eventually(async () => expect(await get(task)).toMatchObject({ status: 200 }));
  });
});
