import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { flushSpans } from '../../lib/observability/tracing.ts';
import { expireLease, makeRelayDue, storeTask } from '../support/a-task.ts';
import { claimed } from '../support/claimed.ts';
import { type Collector, startCollector } from '../support/collector.ts';
import { deliver, request, tick, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import type { ExportedSpan } from '../support/otlp.ts';
import { takeRecords } from '../support/queue.ts';
import { anSqsEvent, aRecordOf } from '../support/sqs-event.ts';

const functions = useFunctions();
const { database, broker } = functions;
let collector: Collector;

beforeAll(async () => {
  collector = await startCollector();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = collector.url;
  process.env.OTEL_SERVICE_NAME = 'errand-under-test';
});
afterAll(() => collector.close());
beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

/** A trace that a caller has begun. */
function aTrace(flags = '01') {
  const traceId = randomBytes(16).toString('hex');
  const spanId = randomBytes(8).toString('hex');
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-${flags}` };
}

async function create(task: object, traceparent: string): Promise<string> {
  const routeKey = 'POST /api/tasks';
  const { body } = await request('create-task', { ...aPost(task, { traceparent }), routeKey });
  return body.id;
}

/** Hands the worker what is in the queue. */
async function deliverAll(): Promise<void> {
  await deliver(anSqsEvent(...(await takeRecords(broker.settings))));
}

/** The spans of a trace by name, and below whom each is. */
async function exported(traceId: string) {
  await flushSpans();
  const spans = collector.spans.filter((span) => span.traceId === traceId);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const path = (span: ExportedSpan): string => {
    const parent = byId.get(span.parentSpanId);
    return parent ? `${path(parent)} > ${short(span)}` : short(span);
  };
  return { spans, paths: spans.map(path).toSorted() };
}

/** The queue of a test has a name that nobody knows before. */
const short = ({ name }: ExportedSpan) => name.replace(/ test-.*/, '');

const find = (spans: readonly ExportedSpan[], name: string) => {
  const found = spans.find((span) => short(span) === name);
  if (!found) throw new Error(`no span ${name}`);
  return found;
};

describe('a trace', () => {
  it('leads from the request to the attempt and to every statement of both', async () => {
    const caller = aTrace();
    const id = await create({ command: 'echo hello' }, caller.traceparent);
    await deliverAll();
    const { spans, paths } = await exported(caller.traceId);
    expect(paths).toEqual(
      [
        'POST /api/tasks',
        'POST /api/tasks > requireSchema',
        'POST /api/tasks > insertTasks',
        'POST /api/tasks > send',
        'POST /api/tasks > deletePublished',
        'POST /api/tasks > process',
        'POST /api/tasks > process > claimTask',
        'POST /api/tasks > process > run',
        'POST /api/tasks > process > settle',
        'POST /api/tasks > process > settle > settleAttempt',
      ].toSorted(),
    );
    expect(find(spans, 'POST /api/tasks')).toMatchObject({
      kind: 'server',
      parentSpanId: caller.spanId,
      service: 'errand-under-test',
      failed: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/api/tasks',
        'http.response.status_code': 202,
        'errand.tenant': 'default',
      },
    });
    expect(find(spans, 'insertTasks')).toMatchObject({
      kind: 'client',
      attributes: { 'db.system.name': 'postgresql', 'db.query.summary': 'insertTasks' },
    });
    expect(find(spans, 'send')).toMatchObject({
      kind: 'producer',
      attributes: {
        'messaging.system': 'aws_sqs',
        'messaging.destination.name': expect.stringMatching(/^test-/),
        'messaging.batch.message_count': 1,
      },
    });
    expect(find(spans, 'process')).toMatchObject({
      kind: 'consumer',
      attributes: {
        'messaging.operation.type': 'process',
        'errand.task.id': id,
        'errand.attempt': 1,
        'errand.execution': 'settled',
      },
    });
    expect(find(spans, 'run')).toMatchObject({
      kind: 'internal',
      attributes: {
        'errand.sandbox.tier': 'none',
        'errand.ending': 'exited',
        'process.exit.code': 0,
      },
    });
  });

  it('begins with the request where the caller has none, or sends what is none', async () => {
    const id = await create({ command: 'true' }, 'not a traceparent');
    const [task] = await database.sql`select traceparent from errand.tasks where id = ${id}`;
    expect(task?.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
    await deliverAll();
    const { paths } = await exported(task?.traceparent.split('-')[1]);
    expect(paths).toContain('POST /api/tasks > process > run');
  });

  it('has every attempt of a task that is tried again', async () => {
    const { traceId, traceparent } = aTrace();
    const task = { command: 'exit 1', maxAttempts: 2, retryDelaySeconds: 0 };
    await create(task, traceparent);
    await deliverAll();
    await deliverAll();
    const { spans } = await exported(traceId);
    const attempts = spans.filter((span) => short(span) === 'process');
    expect(attempts.map(({ attributes }) => attributes['errand.attempt'])).toEqual([1, 2]);
    expect(attempts.every(({ failed }) => !failed)).toBe(true);
  });

  it('goes on after the worker was lost', async () => {
    const { traceId, traceparent } = aTrace();
    const id = await create({ command: 'true' }, traceparent);
    await broker.purge();
    await claimed(database.sql, id as never);
    await expireLease(database.sql, id as never);
    await tick('rescue-tasks');
    await deliverAll();
    const { spans, paths } = await exported(traceId);
    expect(paths.filter((path) => path === 'POST /api/tasks > send')).toHaveLength(2);
    expect(find(spans, 'process').attributes).toMatchObject({ 'errand.attempt': 2 });
  });

  it('goes on over the outbox and the relay, which links to all for whom it sends', async () => {
    const traces = [aTrace(), aTrace()];
    await functions.queueWire.cut();
    for (const { traceparent } of traces) await create({ command: 'true' }, traceparent);
    await functions.queueWire.mend();
    await makeRelayDue(database.sql);
    await tick('relay-outbox');
    await deliverAll();
    for (const { traceId } of traces) {
      const { spans, paths } = await exported(traceId);
      expect(paths).toContain('POST /api/tasks > process > run');
      expect(find(spans, 'send').failed).toBe(true);
    }
    const ids = traces.map(({ traceId }) => traceId).toSorted();
    const relayed = collector.spans.find(({ links }) => links.length === 2);
    expect(relayed?.links.toSorted()).toEqual(ids);
  });

  it('is linked with an attempt whose message came without it', async () => {
    const { traceId, traceparent } = aTrace();
    const id = await create({ command: 'true' }, traceparent);
    await deliver(anSqsEvent(aRecordOf(id)));
    await flushSpans();
    const attempt = collector.spans.find(
      ({ kind, attributes }) => kind === 'consumer' && attributes['errand.task.id'] === id,
    );
    expect(attempt?.traceId).not.toBe(traceId);
    expect(attempt?.links).toEqual([traceId]);
  });

  it('has the next attempt of a task that somebody runs again, whose request leads there', async () => {
    const { traceId, traceparent } = aTrace();
    const taskId = await create({ command: 'true' }, traceparent);
    await deliverAll();
    const path = `/api/tasks/${taskId}/retry`;
    const routeKey = 'POST /api/tasks/{taskId}/retry';
    const again = aTrace();
    await request(
      'retry-task',
      anHttpEvent({
        ...{ method: 'POST', path, routeKey, pathParameters: { taskId } },
        headers: { traceparent: again.traceparent },
      }),
    );
    await deliverAll();
    const { spans } = await exported(traceId);
    expect(spans.filter((span) => short(span) === 'process')).toHaveLength(2);
    expect(find((await exported(again.traceId)).spans, routeKey).links).toEqual([traceId]);
  });

  it('is not recorded where the caller does not want that, on either side of the queue', async () => {
    const { traceId, traceparent } = aTrace('00');
    await create({ command: 'true' }, traceparent);
    await deliverAll();
    expect((await exported(traceId)).spans).toEqual([]);
  });

  it('tells of a failure by its kind alone', async () => {
    await storeTask(database.sql);
    await functions.databaseWire.cut();
    const { traceId, traceparent } = aTrace();
    await create({ command: 'true' }, traceparent);
    await functions.databaseWire.mend();
    const { spans } = await exported(traceId);
    expect(find(spans, 'POST /api/tasks')).toMatchObject({
      failed: true,
      attributes: { 'http.response.status_code': 503, 'error.type': '503' },
    });
    expect(find(spans, 'insertTasks').attributes['error.type']).toMatch(/^(CONN|ECONN)/);
  });

  it('knows nothing of what a command is, reads or writes', async () => {
    const { traceId, traceparent } = aTrace();
    const task = {
      command: 'cat; echo $NAME; echo secret-in-command',
      stdin: 'secret-in-stdin',
      env: { NAME: 'secret-in-env' },
      labels: { team: 'secret-in-labels' },
    };
    await create(task, traceparent);
    await deliverAll();
    expect((await exported(traceId)).spans.length).toBeGreaterThan(5);
    expect(collector.text()).not.toContain('secret-in');
  });

  it('is none for probes, nor for statements of nobody', async () => {
    const before = collector.spans.length;
    const { traceparent } = aTrace();
    const headers = { traceparent };
    const routeKey = 'GET /health/ready';
    await request('health-ready', anHttpEvent({ path: '/health/ready', routeKey, headers }));
    await tick('relay-outbox');
    await tick('rescue-tasks');
    await flushSpans();
    expect(collector.spans.slice(before)).toEqual([]);
  });
});
