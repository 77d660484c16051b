import { describe, expect, it } from 'vitest';
import { makeSecret } from '../../lib/access/api-key.ts';
import { reissueKey } from '../../lib/access/issue-key.ts';
import { revokeKey } from '../../lib/access/key-store.ts';
import { ACTOR, aTaskId, storeTask } from '../support/a-task.ts';
import { expectProblem } from '../support/expect-problem.ts';
import { type Answer, request, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import { bearing, storeKey } from '../support/keys.ts';

const { database } = useFunctions({ auth: 'keys' });

const list = (headers: Record<string, string>) =>
  request('list-tasks', anHttpEvent({ path: '/api/tasks', headers }));
const challengeOf = ({ headers }: Answer) => headers['www-authenticate'];

describe('a request without an API key', () => {
  it('is answered 401, and told how to send one', async () => {
    const answer = await list({});
    expectProblem(answer, 401, 'unauthenticated');
    expect(answer.body.detail).toBe(
      'An API key is needed. Send the header "Authorization: Bearer errand_...".',
    );
    expect(challengeOf(answer)).toBe('Bearer realm="errand"');
  });

  it.each(['Basic YTpi', 'errand_1', 'Digest username="a"'])(
    'is answered 401 when it shows something else: %s',
    async (authorization) => {
      const answer = await list({ authorization });
      expectProblem(answer, 401, 'unauthenticated');
      expect(answer.body.detail).toMatch(/^Only API keys are taken\./);
      expect(challengeOf(answer)).toBe('Bearer realm="errand"');
    },
  );

  it('is told no metrics', async () => {
    expectProblem(await request('get-metrics', anHttpEvent()), 401, 'unauthenticated');
  });

  it('stores nothing', async () => {
    expectProblem(await request('create-task', aPost({ command: 'true' })), 401, 'unauthenticated');
    expect(await database.sql`select from errand.tasks`).toHaveLength(0);
  });

  it('is served where it is about health alone', async () => {
    expect(await request('health-live', anHttpEvent())).toMatchObject({ status: 200 });
    expect(await request('health-ready', anHttpEvent())).toMatchObject({ status: 200 });
  });
});

describe('a request with a bad API key', () => {
  const refused = async (apiKey: string, detail: RegExp) => {
    const answer = await list(bearing(apiKey));
    expectProblem(answer, 401, 'unauthenticated');
    expect(answer.body.detail).toMatch(detail);
    expect(challengeOf(answer)).toMatch(
      /^Bearer realm="errand", error="invalid_token", error_description="[^"\\]+"$/,
    );
  };

  it.each(['', 'x', 'errand_', 'errand_0190_secret', `errand_${'0'.repeat(32)}_short`])(
    'is answered 401 when it is malformed: "%s"',
    (apiKey) => refused(apiKey, /^The API key is malformed: it is errand_, 32 hex digits/),
  );

  it('is answered 401 when there is none with that id, or it has another secret', async () => {
    const { apiKey } = await storeKey(database.sql);
    const [prefix, id, secret] = apiKey.split(/_(.{32})_/);
    await refused(
      `${prefix}_${aTaskId().replaceAll('-', '')}_${secret}`,
      /^There is no API key with/,
    );
    await refused(
      `${prefix}_${id}_${makeSecret()}`,
      /^There is no API key with this id and this secret: .* replaced long ago\.$/,
    );
  });

  it('is answered 401 when it has expired', async () => {
    const { apiKey } = await storeKey(database.sql, { expiresAt: new Date(Date.now() - 1000) });
    await refused(apiKey, /^The API key expired at 20/);
  });

  it('is answered 401 when it was revoked', async () => {
    const { id, apiKey } = await storeKey(database.sql);
    expect(await list(bearing(apiKey))).toMatchObject({ status: 200 });
    await revokeKey(database.sql, ACTOR, id);
    await refused(apiKey, /^The API key was revoked at 20/);
  });

  it('is answered 401 when its secret was replaced', async () => {
    const { id, apiKey } = await storeKey(database.sql);
    await reissueKey(database.sql, ACTOR, id, 0);
    await refused(apiKey, /^The secret of the API key was replaced; this one was good until 20/);
  });
});

describe('a request with a good API key', () => {
  it('is served', async () => {
    const { apiKey } = await storeKey(database.sql);
    expect(await list({ authorization: `bearer  ${apiKey}` })).toMatchObject({ status: 200 });
  });

  it('is answered 403 when the key is not good for that', async () => {
    const { headers } = await storeKey(database.sql, { scopes: ['read', 'admin'] });
    const answer = await request('create-task', aPost({ command: 'true' }, headers));
    expectProblem(answer, 403, 'insufficient_scope');
    expect(answer.body.detail).toBe(
      'This needs an API key with the scope "write"; yours has read, admin.',
    );
    expect(challengeOf(answer)).toBe(
      'Bearer realm="errand", error="insufficient_scope", scope="write"',
    );
  });

  it('is told nothing of a limit when there is none', async () => {
    const { headers } = await list((await storeKey(database.sql)).headers);
    expect(Object.keys(headers).filter((name) => name.startsWith('ratelimit'))).toEqual([]);
  });
});

describe('a request with a key that has a limit', () => {
  const limit = (requestsPerMinute: number, burst: number) =>
    storeKey(database.sql, { rateLimit: { requestsPerMinute, burst } });

  it('is told what is left of it', async () => {
    const { headers } = await list((await limit(60, 20)).headers);
    expect(headers['ratelimit-policy']).toBe('"key";q=20;w=20');
    expect(headers.ratelimit).toBe('"key";r=19;t=1');
  });

  it('is told the same where it fails for another reason', async () => {
    const key = await limit(60, 20);
    const taskId = await storeTask(database.sql, {}, 'other' as never);
    const path = { path: `/api/tasks/${taskId}`, pathParameters: { taskId }, headers: key.headers };
    const notFound = await request('get-task', anHttpEvent(path));
    expectProblem(notFound, 404, 'task_not_found');
    expect(notFound.headers.ratelimit).toBe('"key";r=19;t=1');
    const invalid = await request('create-task', aPost({}, key.headers));
    expectProblem(invalid, 400, 'invalid_request');
    expect(invalid.headers.ratelimit).toMatch(/^"key";r=18;t=1$/);
    expect(invalid.headers['ratelimit-policy']).toBe('"key";q=20;w=20');
  });

  it('is answered 429 once it is used up, and told when to try again', async () => {
    const { headers } = await limit(2, 1);
    expect(await list(headers)).toMatchObject({ status: 200 });
    const answer = await request('create-task', aPost({ command: 'true' }, headers));
    expectProblem(answer, 429, 'rate_limited');
    expect(answer.body.detail).toBe(
      'The limit of this API key is 2 requests a minute, 1 at once. Try again in 30 s.',
    );
    expect(answer.headers).toMatchObject({
      'retry-after': '30',
      'ratelimit-policy': '"key";q=1;w=30',
      ratelimit: '"key";r=0;t=30',
    });
    expect(await database.sql`select from errand.tasks where tenant = 'default'`).toEqual([]);
  });

  it('pays for what its scopes do not allow as well', async () => {
    const { headers } = await storeKey(database.sql, {
      scopes: ['read'],
      rateLimit: { requestsPerMinute: 1, burst: 1 },
    });
    const create = () => request('create-task', aPost({ command: 'true' }, headers));
    expectProblem(await create(), 403, 'insufficient_scope');
    expectProblem(await create(), 429, 'rate_limited');
  });
});

describe('a key that asks for metrics, which are of all tenants', () => {
  const metrics = (headers: Record<string, string>) =>
    request('get-metrics', anHttpEvent({ path: '/metrics', headers }));

  it('is the admin key of who runs the system', async () => {
    const { headers } = await storeKey(database.sql, { tenant: 'default', scopes: ['admin'] });
    expect(await metrics(headers)).toMatchObject({ status: 200 });
  });

  it('is answered 403 when it has another scope', async () => {
    const key = await storeKey(database.sql, { tenant: 'default', scopes: ['read', 'write'] });
    expectProblem(await metrics(key.headers), 403, 'insufficient_scope');
  });

  it("is answered 403 when it is another tenant's", async () => {
    const key = await storeKey(database.sql, { tenant: 'acme', scopes: ['admin'] });
    expectProblem(await metrics(key.headers), 403, 'insufficient_scope');
  });
});
