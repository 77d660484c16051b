import { beforeAll, describe, expect, it } from 'vitest';
import { SCOPES, type Scope, type Tenant } from '../../lib/access/caller.ts';
import { ROUTES } from '../../lib/http/routes.ts';
import { seqBefore, storeOutput } from '../../lib/tasks/output-store.ts';
import type { TaskId } from '../../lib/tasks/task.ts';
import { storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { type Answer, request, useFunctions } from '../support/functions.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { storeKey, type TestKey } from '../support/keys.ts';
import { sendRaw } from '../support/queue.ts';
import { functionOf } from '../support/routed-function.ts';

const { database, broker } = useFunctions({ auth: 'keys' });

interface Parts {
  readonly taskId?: string;
  readonly query?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
}

/** Sends a request to whatever function serves the route. */
function send(route: string, headers: Record<string, string>, parts: Parts = {}): Promise<Answer> {
  const [method = '', template = ''] = route.split(' ');
  const { taskId, query, body } = parts;
  const event = anHttpEvent({
    method,
    path: template.replace('{taskId}', taskId ?? ''),
    ...(query && { query }),
    ...(taskId && { pathParameters: { taskId } }),
    headers: {
      ...headers,
      ...parts.headers,
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return request(functionOf(route), event);
}

/** What acme has, and what another tenant tries to get at. */
let task: TaskId;
let acme: TestKey;
let intruder: TestKey;
let letterId: string;

const ACME_SECRET = 'acme-secret';
const ONCE = { 'idempotency-key': 'the-same-for-both' };

const byIntruder = (route: string, parts?: Parts) => send(route, intruder.headers, parts);
const byAcme = (route: string, parts?: Parts) => send(route, acme.headers, parts);

beforeAll(async () => {
  const { sql } = database;
  acme = await storeKey(sql, { tenant: 'acme' });
  intruder = await storeKey(sql, { tenant: 'intruder' });
  task = await storeTask(sql, { command: ACME_SECRET, labels: { team: 'a' } }, 'acme' as Tenant);
  const claim = await claimed(sql, task);
  const chunks = [{ stream: 'stdout' as const, bytes: Buffer.from(ACME_SECRET) }];
  await storeOutput(sql, claim, { firstSeq: seqBefore(1) + 1, chunks });
  const body = JSON.stringify({ taskId: task });
  await sendRaw(broker.settings, broker.settings.deadLetterUrl, body);
  const letters = await byAcme('GET /api/dead-letters');
  letterId = letters.body.items[0].id;
});

/** Nothing of the answer may be acme's. */
function expectNothingOf(answer: Answer): void {
  const text = JSON.stringify(answer.body);
  for (const trace of [ACME_SECRET, task, acme.id]) expect(text).not.toContain(trace);
}

interface Case {
  /** What a key must be good for. */
  readonly scope: Scope;
  /** What another tenant tries, and what becomes of it. */
  readonly tries: (route: string) => Promise<void>;
}

/** A task of another tenant is as one that is not there: 404, and the same words. */
async function findsNoTask(route: string): Promise<void> {
  const answer = await byIntruder(route, { taskId: task });
  expectProblem(answer, 404, 'task_not_found');
  const missing = task.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  const nowhere = await byIntruder(route, { taskId: missing });
  expectProblem(nowhere, 404, 'task_not_found');
  expect(answer.body.detail).toBe(nowhere.body.detail.replace(missing, task));
}

/** A new route belongs here, with what somebody from another tenant could try. */
const cases: Record<string, Case> = {
  'POST /api/tasks': {
    scope: 'write',
    async tries(route) {
      const ours = await byAcme(route, { body: { command: ACME_SECRET }, headers: ONCE });
      const theirs = await byIntruder(route, { body: { command: 'mine' }, headers: ONCE });
      expect([ours.status, theirs.status]).toEqual([202, 202]);
      expect(theirs.headers['idempotent-replayed']).toBeUndefined();
      expect(theirs.body).toMatchObject({ command: 'mine' });
      expect(theirs.body.id).not.toBe(ours.body.id);
    },
  },
  'POST /api/tasks/batch': {
    scope: 'write',
    async tries(route) {
      const headers = { 'idempotency-key': 'a-batch-of-both' };
      await byAcme(route, { body: { tasks: [{ command: ACME_SECRET }] }, headers });
      const theirs = await byIntruder(route, { body: { tasks: [{ command: 'mine' }] }, headers });
      expect(theirs.status).toBe(202);
      expect(theirs.headers['idempotent-replayed']).toBeUndefined();
      expectNothingOf(theirs);
    },
  },
  'GET /api/tasks': {
    scope: 'read',
    async tries(route) {
      for (const query of ['', 'status=running', 'label=team:a', `q=${ACME_SECRET}`]) {
        expect(JSON.stringify((await byAcme(route, { query })).body)).toContain(task);
        expectNothingOf(await byIntruder(route, { query }));
      }
      const ours = await byAcme(route, { query: 'limit=1' });
      const walked = await byIntruder(route, { query: `cursor=${ours.body.nextCursor}` });
      expect(walked.status).toBe(200);
      expectNothingOf(walked);
    },
  },
  'GET /api/tasks/{taskId}': {
    scope: 'read',
    async tries(route) {
      expect((await byAcme(route, { taskId: task })).body.stdout).toBe(ACME_SECRET);
      await findsNoTask(route);
      const known = { 'if-none-match': '*' };
      const answer = await byIntruder(route, { taskId: task, query: 'wait=1', headers: known });
      expectProblem(answer, 404, 'task_not_found');
    },
  },
  'GET /api/tasks/{taskId}/output': {
    scope: 'read',
    async tries(route) {
      expect((await byAcme(route, { taskId: task })).body.chunks).toHaveLength(1);
      await findsNoTask(route);
      for (const query of ['wait=1', 'attempt=1', 'attempt=7', 'after=1']) {
        expectProblem(await byIntruder(route, { taskId: task, query }), 404, 'task_not_found');
      }
    },
  },
  'POST /api/tasks/{taskId}/cancel': {
    scope: 'write',
    async tries(route) {
      await findsNoTask(route);
      const [row] = await database.sql`
        select status, cancel_requested_at from errand.tasks where id = ${task}`;
      expect(row).toEqual({ status: 'running', cancel_requested_at: null });
    },
  },
  'POST /api/tasks/{taskId}/retry': {
    scope: 'write',
    async tries(route) {
      await findsNoTask(route);
    },
  },
  'GET /api/stats': {
    scope: 'read',
    async tries(route) {
      const nobody = await storeKey(database.sql, { tenant: 'nobody' });
      expect((await byAcme(route)).body.tasks.running).toBe(1);
      const { body } = await send(route, nobody.headers);
      expect(body.tasks).toEqual({ queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 });
      expect(body.recent).toMatchObject({ created: 0 });
      expect([body.oldestWaitSeconds, body.queue]).toEqual([null, null]);
    },
  },
  'GET /api/dead-letters': {
    scope: 'admin',
    async tries(route) {
      expect((await byAcme(route)).body.items).toHaveLength(1);
      expect((await byIntruder(route)).body).toEqual({ items: [] });
    },
  },
  'POST /api/dead-letters/redrive': {
    scope: 'admin',
    async tries(route) {
      expect((await byIntruder(route)).body).toEqual({ redriven: 0 });
      expectProblem(
        await byIntruder(route, { body: { id: letterId } }),
        404,
        'dead_letter_not_found',
      );
      expect((await byAcme('GET /api/dead-letters')).body.items).toHaveLength(1);
    },
  },
  'GET /api/audit': {
    scope: 'admin',
    async tries(route) {
      expect((await byAcme(route, { query: `subject=${task}` })).body.items).toHaveLength(1);
      for (const query of ['', `subject=${task}`, `subject=${acme.id}`, 'action=task.create']) {
        expectNothingOf(await byIntruder(route, { query }));
      }
    },
  },
};

/** These tell nothing of anybody's tasks, and ask for no key. */
const isPublic = (route: string) => / \/(health|openapi|docs)\b/.test(route);

describe('the table of this file', () => {
  it('has every route that asks for a key', () => {
    const routes = Object.entries(ROUTES).flatMap(([path, route]) =>
      Object.keys(route).map((method) => `${method} ${path}`),
    );
    const closed = routes.filter((route) => !isPublic(route));
    expect(Object.keys(cases).sort()).toEqual(closed.sort());
  });
});

describe.each(Object.entries(cases))('%s', (route, { scope, tries }) => {
  it('shows, counts and changes nothing of another tenant', () => tries(route), 60_000);

  it('answers 401 without a key', async () => {
    expectProblem(await send(route, {}, { taskId: task }), 401, 'unauthenticated');
  });

  it(`answers 403 to keys without the scope ${scope}`, async () => {
    const others = SCOPES.filter((other) => other !== scope);
    const weak = await storeKey(database.sql, { tenant: 'acme', scopes: others });
    const refused = await send(route, weak.headers, { taskId: task });
    expectProblem(refused, 403, 'insufficient_scope');
    const strong = await storeKey(database.sql, { tenant: 'elsewhere', scopes: [scope] });
    expect((await send(route, strong.headers, { taskId: task })).status).not.toBe(403);
  });

  it('answers 429 to keys that have used up their limit', async () => {
    const { headers, id } = await storeKey(database.sql, {
      rateLimit: { requestsPerMinute: 1, burst: 1 },
    });
    await database.sql`
      insert into errand.rate_limits (key_id, full_at, granted)
      values (${id}, now() + interval '1 minute', true)`;
    expectProblem(await send(route, headers, { taskId: task }), 429, 'rate_limited');
  });
});
