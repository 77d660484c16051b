import { MatchersV3 as match } from '@pact-foundation/pact';
import type { Answer, Client } from './client.ts';

/** Tasks of the provider states, by what has become of them. */
export const TASKS = {
  ended: '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e01',
  running: '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e02',
  missing: '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2eff',
};

export interface Interaction {
  readonly state: string;
  readonly does: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly query?: Record<string, string>;
  readonly headers?: Record<string, string>;
  readonly body?: object;
  readonly status: number;
  readonly answer: object;
  /** The request as the client makes it. */
  call(client: Client): Promise<Answer>;
}

const json = { 'content-type': 'application/json' };
const uuid = (example: string) => match.uuid(example);
const time = match.regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, '2026-11-25T12:00:00.000Z');
const key = { 'idempotency-key': 'order-7' };

const task = (status: string) => ({
  id: uuid(TASKS.ended),
  status,
  attempt: match.integer(1),
  exitCode: null,
  failure: null,
  createdAt: time,
});
const ended = {
  ...task('succeeded'),
  exitCode: 0,
  stdout: 'hello\n',
  stderr: '',
  stdoutTruncated: false,
  finishedAt: time,
  usage: { wallMs: match.integer(9) },
  attempts: match.eachLike({ number: match.integer(1), status: 'succeeded' }),
};
const problem = (status: number, code: string) => ({
  type: `urn:errand:problem:${code}`,
  status,
  code,
  title: match.string('Title'),
  detail: match.string('What is wrong here.'),
});

/** What the client relies on, and nothing else. */
export const INTERACTIONS: readonly Interaction[] = [
  {
    state: 'nobody runs commands',
    does: 'creates a task',
    method: 'POST',
    path: '/api/tasks',
    headers: json,
    body: { command: 'echo hello', labels: { team: 'search' } },
    status: 202,
    answer: {
      ...task('queued'),
      attempt: 0,
      stdout: null,
      attempts: [],
      labels: { team: 'search' },
    },
    call: (client) => client.createTask({ command: 'echo hello', labels: { team: 'search' } }),
  },
  {
    state: 'somebody runs commands',
    does: 'creates a task and waits for its end',
    method: 'POST',
    path: '/api/tasks',
    headers: { ...json, prefer: 'wait=20' },
    body: { command: 'echo hello' },
    status: 200,
    answer: ended,
    call: (client) => client.createTask({ command: 'echo hello' }, { prefer: 'wait=20' }),
  },
  {
    state: 'the key order-7 was used for echo hello',
    does: 'uses the key for another command',
    method: 'POST',
    path: '/api/tasks',
    headers: { ...json, ...key },
    body: { command: 'echo other' },
    status: 422,
    answer: problem(422, 'idempotency_key_reused'),
    call: (client) => client.createTask({ command: 'echo other' }, key),
  },
  {
    state: 'nobody runs commands',
    does: 'creates a task without a command',
    method: 'POST',
    path: '/api/tasks',
    headers: json,
    body: { timeoutSeconds: 5 },
    status: 400,
    answer: {
      ...problem(400, 'invalid_request'),
      errors: [{ path: 'command', message: match.string('is missing: give command or argv') }],
    },
    call: (client) => client.createTask({ timeoutSeconds: 5 }),
  },
  {
    state: 'a task has ended',
    does: 'gets it',
    method: 'GET',
    path: `/api/tasks/${TASKS.ended}`,
    status: 200,
    answer: { ...ended, id: TASKS.ended },
    call: (client) => client.getTask(TASKS.ended),
  },
  {
    state: 'a task has ended',
    does: 'gets its output',
    method: 'GET',
    path: `/api/tasks/${TASKS.ended}/output`,
    status: 200,
    answer: {
      attempt: 1,
      chunks: [{ seq: match.integer(1_000_001), stream: 'stdout', at: time, text: 'hello\n' }],
      next: match.integer(1_000_001),
      done: true,
    },
    call: (client) => client.getOutput(TASKS.ended),
  },
  {
    state: 'a task has ended',
    does: 'lists the newest',
    method: 'GET',
    path: '/api/tasks',
    query: { status: 'succeeded', limit: '1' },
    status: 200,
    answer: { items: [{ ...task('succeeded'), exitCode: 0, id: uuid(TASKS.ended) }] },
    call: (client) => client.listTasks('status=succeeded&limit=1'),
  },
  {
    state: 'a task runs',
    does: 'cancels it',
    method: 'POST',
    path: `/api/tasks/${TASKS.running}/cancel`,
    status: 202,
    answer: { id: TASKS.running, status: 'running', cancelRequestedAt: time },
    call: (client) => client.cancelTask(TASKS.running),
  },
  {
    state: 'a task has ended',
    does: 'cancels it too late',
    method: 'POST',
    path: `/api/tasks/${TASKS.ended}/cancel`,
    status: 409,
    answer: problem(409, 'task_ended'),
    call: (client) => client.cancelTask(TASKS.ended),
  },
  {
    state: 'nobody runs commands',
    does: 'gets a task that is not there',
    method: 'GET',
    path: `/api/tasks/${TASKS.missing}`,
    status: 404,
    answer: problem(404, 'task_not_found'),
    call: (client) => client.getTask(TASKS.missing),
  },
];
