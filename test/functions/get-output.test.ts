import { beforeEach, describe, expect, it } from 'vitest';
import type { Claim } from '../../lib/tasks/attempt-store.ts';
import { seqBefore, storeOutput } from '../../lib/tasks/output-store.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { requestCancel } from '../../lib/tasks/task-store.ts';
import { ACTOR, aTaskId, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { deliver, request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { anSqsEvent, aRecordOf } from '../support/sqs-event.ts';

const { database } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
});

const event = (taskId: string, query: string, headers: Record<string, string>) =>
  anHttpEvent({
    path: `/api/tasks/${taskId}/output`,
    pathParameters: { taskId },
    query,
    headers,
  });
const output = (taskId: string, query = '') => request('get-output', event(taskId, query, {}));

/** The raw form, as a client gets it: API Gateway decodes what a function has encoded. */
async function raw(taskId: string, query = '') {
  const { handler } = await import('../../functions/get-output.ts');
  const answer = await handler(event(taskId, query, { accept: 'text/plain' }), {
    awsRequestId: 'x',
    getRemainingTimeInMillis: () => 29_000,
  } as never);
  const body = Buffer.from(answer.body ?? '', answer.isBase64Encoded ? 'base64' : 'utf8');
  return { status: answer.statusCode, headers: answer.headers ?? {}, body };
}

let written = 0;
async function write(claim: Claim, stream: 'stdout' | 'stderr', content: string | Buffer) {
  written += 1;
  await storeOutput(database.sql, claim, {
    firstSeq: seqBefore(claim.attempt) + written,
    chunks: [{ stream, bytes: Buffer.from(content as string) }],
  });
}

async function aRunning(): Promise<{ task: TaskId; claim: Claim }> {
  written = 0;
  const task = await storeTask(database.sql);
  return { task, claim: await claimed(database.sql, task) };
}

/** The task is to run again, and does. */
async function beginNextAttempt(task: TaskId): Promise<Claim> {
  written = 0;
  await database.sql`
    update errand.tasks set status = 'queued', lease_expires_at = null where id = ${task}`;
  return claimed(database.sql, task);
}

describe('GET /api/tasks/{taskId}/output', () => {
  it('gives what a command has written, in order of arrival, and where to go on', async () => {
    const { task, claim } = await aRunning();
    await write(claim, 'stdout', 'one\n');
    await write(claim, 'stderr', 'two\n');
    const { status, body } = await output(task);
    expect(status).toBe(200);
    expect(body).toEqual({
      attempt: 1,
      chunks: [
        { seq: 1_000_001, stream: 'stdout', at: expect.any(String), text: 'one\n' },
        { seq: 1_000_002, stream: 'stderr', at: expect.any(String), text: 'two\n' },
      ],
      next: 1_000_002,
      done: false,
    });
  });

  it('goes on behind what is known', async () => {
    const { task, claim } = await aRunning();
    await write(claim, 'stdout', 'one');
    const { next } = (await output(task)).body;
    expect((await output(task, `after=${next}`)).body).toMatchObject({ chunks: [], next });
    await write(claim, 'stdout', 'two');
    const { body } = await output(task, `after=${next}`);
    expect(body.chunks).toMatchObject([{ text: 'two' }]);
  });

  it('waits for more, and answers when there is some', async () => {
    const { task, claim } = await aRunning();
    const answering = output(task, 'wait=20');
    await write(claim, 'stdout', 'late');
    expect((await answering).body).toMatchObject({ chunks: [{ text: 'late' }], done: false });
  });

  it('waits for the end, and says that there is no more', async () => {
    const task = await storeTask(database.sql);
    const answering = output(task, 'wait=20');
    await requestCancel(database.sql, ACTOR, task);
    expect((await answering).body).toEqual({ attempt: 0, chunks: [], next: 0, done: true });
  });

  it('answers with nothing when the time is over', async () => {
    const { task } = await aRunning();
    expect((await output(task, 'wait=1')).body).toMatchObject({ chunks: [], done: false });
  });

  it('follows a real command to its end, and equals what the task shows then', async () => {
    const command = 'echo one; sleep 0.4; echo two >&2; sleep 0.4; printf "\\360\\237\\232\\200"';
    const task = await storeTask(database.sql, { command });
    const running = deliver(anSqsEvent(aRecordOf(task)));
    const chunks: { stream: string; text: string }[] = [];
    let answers = 0;
    for (let after = 0, done = false; !done; answers++) {
      const { body } = await output(task, `after=${after}&wait=20`);
      chunks.push(...body.chunks);
      after = body.next;
      done = body.done;
    }
    await running;
    expect(answers).toBeGreaterThan(1); // It came while the command ran.
    const textOf = (wanted: string) =>
      chunks.flatMap(({ stream, text }) => (stream === wanted ? [text] : [])).join('');
    const { body } = await request(
      'get-task',
      anHttpEvent({ path: `/api/tasks/${task}`, pathParameters: { taskId: task } }),
    );
    expect([textOf('stdout'), textOf('stderr')]).toEqual([body.stdout, body.stderr]);
    expect(body).toMatchObject({ stdout: 'one\n🚀', stderr: 'two\n' });
  });

  it('follows a task into its next attempt, and misses nothing of that', async () => {
    const { task, claim } = await aRunning();
    for (let n = 0; n < 5; n++) await write(claim, 'stdout', `first ${n}\n`);
    const { next } = (await output(task)).body;
    await write(await beginNextAttempt(task), 'stdout', 'second\n');
    const { body } = await output(task, `after=${next}`);
    expect(body).toMatchObject({ attempt: 2, chunks: [{ seq: 2_000_001, text: 'second\n' }] });
  });

  it('shows an earlier attempt, which is done', async () => {
    const { task, claim } = await aRunning();
    await write(claim, 'stdout', 'first');
    await write(await beginNextAttempt(task), 'stdout', 'second');
    const { body } = await output(task, 'attempt=1');
    expect(body).toMatchObject({ attempt: 1, chunks: [{ text: 'first' }], done: true });
  });

  it('answers 404 for an attempt that is not there', async () => {
    const { task } = await aRunning();
    const answer = await output(task, 'attempt=2');
    expectProblem(answer, 404, 'attempt_not_found');
    expect(answer.body.detail).toContain('its newest one is 1');
  });

  it('gives bytes that are no text in base64', async () => {
    const { task, claim } = await aRunning();
    await write(claim, 'stdout', Buffer.from([0xff, 0x00]));
    expect((await output(task)).body.chunks).toMatchObject([{ base64: '/wA=' }]);
  });

  it('gives the bytes themselves to who asks for text, both streams as they came', async () => {
    const { task, claim } = await aRunning();
    await write(claim, 'stdout', 'a\n');
    await write(claim, 'stderr', 'b\n');
    await write(claim, 'stdout', Buffer.from([0xff, 0x00]));
    const { status, headers, body } = await raw(task);
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'errand-next': '1000003',
      'errand-attempt': '1',
      'errand-done': 'false',
    });
    expect(body).toEqual(Buffer.from([0x61, 0x0a, 0x62, 0x0a, 0xff, 0x00]));
  });

  it('gives a large output over several answers, each below the 6 MB of Lambda', async () => {
    const { task, claim } = await aRunning();
    for (let n = 0; n < 40; n++) await write(claim, 'stdout', '\u0001'.repeat(65_536));
    let [after, bytes, answers] = [0, 0, 0];
    for (;;) {
      const answer = await output(task, `after=${after}`);
      expect(JSON.stringify(answer.body).length).toBeLessThan(6_000_000);
      const { chunks, next } = answer.body;
      if (chunks.length === 0) break;
      for (const { text, base64 } of chunks) {
        bytes += text?.length ?? Buffer.from(base64, 'base64').length;
      }
      after = next;
      answers += 1;
    }
    expect([bytes, answers > 1]).toEqual([40 * 65_536, true]);
  });

  it('answers 404 for a task that is not there', async () => {
    expectProblem(await output(aTaskId()), 404, 'task_not_found');
  });

  it('answers 406 to who takes neither JSON nor text', async () => {
    const { task } = await aRunning();
    const answer = await request('get-output', event(task, '', { accept: 'image/png' }));
    expectProblem(answer, 406, 'not_acceptable');
  });

  it.each([
    ['after=x', 'after', 'must be the "next" of an earlier answer, or 0'],
    ['after=-1', 'after', 'must be the "next" of an earlier answer, or 0'],
    ['after=1&after=2', 'after', 'must be given once'],
    ['attempt=0', 'attempt', 'must be the number of an attempt, from 1'],
    ['attempt=99999999999', 'attempt', 'must be the number of an attempt, from 1'],
    ['wait=26', 'wait', 'must be a whole number from 0 to 25'],
    ['follow=1', 'follow', 'is not a known parameter: known are after, attempt, wait'],
  ])('refuses ?%s', async (query, path, message) => {
    const { task } = await aRunning();
    const answer = await output(task, query);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([{ path, message }]);
  });
});
