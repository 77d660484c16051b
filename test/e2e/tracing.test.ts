import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Collector, startCollector } from '../support/collector.ts';
import { eventually } from '../support/eventually.ts';
import type { ExportedSpan } from '../support/otlp.ts';
import { noRabbitServer } from '../support/rabbitmq.ts';
import { type Server, startRabbit } from '../support/servers.ts';
import { anyPort, type Checkout, checkOut, type Start } from './local-stack.ts';

const QUEUES = [
  { queue: 'sqs', system: 'aws_sqs', missing: undefined },
  { queue: 'rabbitmq', system: 'rabbitmq', missing: noRabbitServer },
];

for (const { queue, system, missing } of QUEUES) {
  describe.skipIf(missing)(`npm start with ${queue} and a collector`, () => {
    let broker: Server | undefined;
    let collector: Collector;
    let checkout: Checkout;
    let errand: Start;

    beforeAll(async () => {
      collector = await startCollector();
      if (queue === 'rabbitmq') broker = await startRabbit();
      checkout = await checkOut();
      errand = checkout.start(await anyPort(), {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        LOG_FORMAT: 'json',
        LOG_LEVEL: 'debug',
        ...(broker && { QUEUE: 'rabbitmq', RABBITMQ_URL: broker.url }),
      });
      await eventually(() => expect(errand.output()).toContain('errand is ready'), 120_000);
    });
    afterAll(async () => {
      await checkout?.remove();
      await broker?.close();
      await collector?.close();
    });

    const names = (spans: readonly ExportedSpan[]) => spans.map(({ name }) => name);

    it('exports one trace from the request to the statements of the second attempt', async () => {
      const traceId = randomBytes(16).toString('hex');
      const response = await fetch(`${errand.url}/api/tasks`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          traceparent: `00-${traceId}-${randomBytes(8).toString('hex')}-01`,
        },
        body: JSON.stringify({
          command: 'echo s3cr3t; exit 1',
          env: { TOKEN: 's3cr3t' },
          maxAttempts: 2,
          retryDelaySeconds: 0,
        }),
      });
      expect(response.status).toBe(202);
      await collector.trace(traceId, (spans) => {
        expect(names(spans)).toEqual(
          expect.arrayContaining(['POST /api/tasks', 'insertTasks', 'claimTask', 'run']),
        );
        const attempts = spans.filter(({ kind }) => kind === 'consumer');
        expect(attempts.map(({ attributes }) => attributes['errand.attempt']).sort()).toEqual([
          1, 2,
        ]);
        const byId = new Map(spans.map((span) => [span.spanId, span]));
        for (const { attributes, parentSpanId } of attempts) {
          expect(attributes['messaging.system']).toBe(system);
          expect(byId.get(parentSpanId)?.name).toBe('POST /api/tasks');
        }
        // All but the caller's own are there.
        expect(spans.filter(({ parentSpanId }) => !byId.has(parentSpanId))).toHaveLength(1);
        expect(names(spans).filter((name) => name === 'settleAttempt')).toHaveLength(2);
      });
      expect(collector.text()).not.toContain('s3cr3t');
    });

    it('writes its log in JSON, a line for each request, and of the command nothing', () => {
      const lines = errand
        .output()
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('>')); // npm's own.
      const log = lines.map((line) => JSON.parse(line));
      expect(log).toContainEqual(
        expect.objectContaining({
          level: 'info',
          msg: 'request',
          method: 'POST',
          route: '/api/tasks',
          status: 202,
          tenant: 'default',
          requestId: expect.any(String),
          traceId: expect.any(String),
        }),
      );
      expect(log).toContainEqual(
        expect.objectContaining({ msg: 'execute-task', attempt: 2, taskId: expect.any(String) }),
      );
      expect(errand.output()).not.toContain('s3cr3t');
    });

    it('exports what is left when it is stopped', async () => {
      const { headers } = await fetch(`${errand.url}/api/tasks?limit=1`);
      const requestId = headers.get('x-request-id');
      errand.child.kill('SIGTERM');
      expect(await errand.ended).toBe(0);
      expect(collector.spans).toContainEqual(
        expect.objectContaining({
          name: 'GET /api/tasks',
          attributes: expect.objectContaining({ 'errand.request.id': requestId }),
        }),
      );
      expect(await checkout.processes()).toEqual([]);
    });
  });
}
