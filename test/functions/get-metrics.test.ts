import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { METRICS } from '../../lib/observability/metric-catalogue.ts';
import { storeTask } from '../support/a-task.ts';
import { deliver, request, tick, useFunctions } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import { samplesOf } from '../support/open-metrics.ts';
import { anSqsEvent, aRecord, aRecordOf } from '../support/sqs-event.ts';

const functions = useFunctions();
const { database, broker } = functions;

async function scrape(): Promise<ReadonlyMap<string, number>> {
  const accept = 'application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1';
  const { status, headers, body } = await request(
    'get-metrics',
    anHttpEvent({ path: '/metrics', headers: { accept } }),
  );
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^application\/openmetrics-text/);
  expect(body).toMatch(/\n# EOF\n$/);
  return samplesOf(body);
}

/** How much each sample has grown meanwhile. */
async function growth(work: () => Promise<unknown>): Promise<(sample: string) => number> {
  const before = await scrape();
  await work();
  const after = await scrape();
  return (sample) => (after.get(sample) ?? 0) - (before.get(sample) ?? 0);
}

beforeAll(() => database.sql`truncate errand.tasks cascade`);
beforeEach(() => broker.purge());

describe('GET /metrics', () => {
  it('knows every metric of the catalogue', async () => {
    const { body } = await request('get-metrics', anHttpEvent({ path: '/metrics' }));
    for (const [name, { kind, help }] of Object.entries(METRICS)) {
      const family = kind === 'counter' ? name.replace(/_total$/, '') : name;
      expect(body).toContain(`# HELP ${family} ${help}\n# TYPE ${family} ${kind}\n`);
    }
  });

  it('counts a task on all its way', async () => {
    const grown = await growth(async () => {
      const { body } = await request('create-task', aPost({ command: 'echo hello; exit 3' }));
      await deliver(anSqsEvent(aRecordOf(body.id)));
    });
    expect(grown('errand_tasks_created_total')).toBe(1);
    expect(grown('errand_messages_published_total{result="stored"}')).toBe(1);
    expect(grown('errand_attempts_started_total{tier="none"}')).toBe(1);
    expect(grown('errand_attempt_wait_seconds_count')).toBe(1);
    expect(grown('errand_attempts_ended_total{status="failed",cause="nonzero_exit"}')).toBe(1);
    expect(grown('errand_attempt_run_seconds_count{status="failed"}')).toBe(1);
    expect(grown('errand_sandbox_overhead_seconds_count{tier="none"}')).toBe(1);
    expect(grown('errand_output_bytes_total{stream="stdout"}')).toBe(6);
    expect(grown('errand_messages_delivered_total{result="settled"}')).toBe(1);
    expect(grown('errand_tasks_ended_total{status="failed",cause="nonzero_exit"}')).toBe(1);
    expect(grown('errand_task_duration_seconds_count{status="failed"}')).toBe(1);
    expect(
      grown('errand_statement_duration_seconds_count{statement="claimTask",result="ok"}'),
    ).toBe(1);
  });

  it('counts a failure that is tried again as a retry, and not as an end', async () => {
    const grown = await growth(async () => {
      const id = await storeTask(database.sql, { command: 'exit 1', maxAttempts: 2 });
      await deliver(anSqsEvent(aRecordOf(id)));
    });
    expect(grown('errand_retries_total')).toBe(1);
    expect(grown('errand_tasks_ended_total{status="failed",cause="nonzero_exit"}')).toBe(0);
  });

  it('counts a task that is cancelled while it waits', async () => {
    const grown = await growth(async () => {
      const taskId = await storeTask(database.sql);
      const path = `/api/tasks/${taskId}/cancel`;
      await request(
        'cancel-task',
        anHttpEvent({ method: 'POST', path, pathParameters: { taskId } }),
      );
    });
    expect(grown('errand_tasks_ended_total{status="cancelled",cause="none"}')).toBe(1);
  });

  it('counts tasks whose worker was lost, by what became of them', async () => {
    const grown = await growth(async () => {
      for (const onWorkerLost of ['rerun', 'fail'] as const) {
        const id = await storeTask(database.sql, { onWorkerLost });
        await database.sql`
          with t as (
            update errand.tasks set status = 'running', attempt = 1, started_at = now(),
                   lease_expires_at = now() - interval '1 s' where id = ${id}
            returning id
          )
          insert into errand.attempts (task_id, number, sandbox_tier) select id, 1, 'none' from t`;
      }
      await tick('rescue-tasks');
    });
    expect(grown('errand_rescues_total{what="lost"}')).toBe(1);
    expect(grown('errand_attempts_ended_total{status="failed",cause="worker_lost"}')).toBe(2);
    expect(grown('errand_tasks_ended_total{status="failed",cause="worker_lost"}')).toBe(1);
  });

  it('counts messages that are not ours, and those that the broker did not take', async () => {
    const grown = await growth(async () => {
      await deliver(anSqsEvent(aRecord({ body: 'not ours' })));
      await functions.queueWire.cut();
      await request('create-task', aPost({ command: 'true' }));
      await functions.queueWire.mend();
    });
    expect(grown('errand_messages_delivered_total{result="returned"}')).toBe(1);
    expect(grown('errand_messages_published_total{result="failed"}')).toBe(1);
  });

  it('measures requests by their route, and not by what a caller makes of it', async () => {
    const grown = await growth(async () => {
      const routeKey = 'GET /api/tasks/{taskId}';
      const event = { routeKey, path: '/api/tasks/x', pathParameters: { taskId: 'x' } };
      await request('get-task', anHttpEvent(event));
      await request('unknown-route', anHttpEvent({ method: 'BREW', path: '/coffee' }));
    });
    const requests = (labels: string) =>
      grown(`errand_http_request_duration_seconds_count{${labels}}`);
    expect(requests('method="GET",route="/api/tasks/{taskId}",status="400"')).toBe(1);
    expect(requests('method="any",route="none",status="404"')).toBe(1);
  });

  it('tells how much there is to do', async () => {
    await database.sql`truncate errand.tasks cascade`;
    await storeTask(database.sql);
    await database.sql`
      update errand.tasks set created_at = now() - interval '90 s', run_at = now() - interval '90 s'`;
    await database.sql`
      insert into errand.outbox (task_id, due_at, relay_at)
      select id, now() - interval '30 s', now() from errand.tasks`;
    await broker.queue.publish([{ taskId: await storeTask(database.sql), delaySeconds: 600 }]);
    const { makeReadGauges } = await import('../../lib/tasks/read-gauges.ts');
    const { logger } = await import('../../lib/services.ts');
    await makeReadGauges({ sql: database.sql, queue: broker.queue, logger })();
    const now = await scrape();
    expect(now.get('errand_tasks{status="queued"}')).toBe(2);
    expect(now.get('errand_tasks{status="running"}')).toBe(0);
    expect(now.get('errand_oldest_wait_seconds')).toBeGreaterThanOrEqual(90);
    expect(now.get('errand_outbox_due_messages')).toBe(1);
    expect(now.get('errand_relay_lag_seconds')).toBeGreaterThanOrEqual(30);
    expect(now.get('errand_queue_messages{state="delayed"}')).toBe(1);
    expect(now.get('errand_dead_letters')).toBe(0);
    expect(now.get('errand_database_connections{state="max"}')).toBe(4);
    expect(now.get('errand_disk_bytes{state="free"}')).toBeGreaterThan(0);
  });

  it('answers while the queue is away, with what it knows', async () => {
    await functions.queueWire.cut();
    expect((await scrape()).get('errand_tasks_created_total')).toBeGreaterThan(0);
    await functions.queueWire.mend();
  });
});
