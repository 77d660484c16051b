import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { type Collector, startCollector } from '../support/collector.ts';
import { useDatabase } from '../support/database.ts';
import { useQueue } from '../support/queue.ts';

const database = useDatabase();
const broker = useQueue();
let collector: Collector;
beforeAll(async () => {
  collector = await startCollector();
});
afterAll(() => collector.close());

/** Functions in a process of their own, which serve a request and run its task. */
async function serveOnce(env: Readonly<Record<string, string>> = {}) {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['test/observability/fixtures/serve-once.ts'],
    {
      env: {
        ...process.env,
        AUTH: 'none',
        SANDBOX: 'unsafe-none',
        DATABASE_URL: database.url,
        TASK_QUEUE_URL: broker.settings.url,
        DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
        SQS_ENDPOINT: broker.settings.endpoint ?? '',
        ...env,
      },
    },
  );
  const log = stderr.split('\n').filter((line) => line.startsWith('{'));
  return { ...JSON.parse(stdout), log: log.map((line) => JSON.parse(line)) };
}

const WELL = { status: 202, batchItemFailures: [] };
const AWS = { AWS_LAMBDA_FUNCTION_NAME: 'errand-test', METRICS: 'off', AUTH: 'keys' };

describe('OpenTelemetry', () => {
  it('is not loaded where no collector is set', async () => {
    expect(await serveOnce({ METRICS: 'off' })).toMatchObject({ ...WELL, loaded: [] });
  });

  it('is loaded where one is, and then each line of the log names its trace', async () => {
    const { loaded, log } = await serveOnce({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    expect(loaded).toContain('@opentelemetry/sdk-trace');
    for (const msg of ['request', 'execute-task']) {
      expect(log).toContainEqual(
        expect.objectContaining({ msg, traceId: expect.stringMatching(/^[0-9a-f]{32}$/) }),
      );
    }
  });

  it.each([
    ['refuses connections', async () => ({ url: `http://127.0.0.1:${await freePort(undefined)}` })],
    ['never answers', silentServer],
    ['answers with an error', failingServer],
  ])('harms nothing when the collector %s, and tells of it once', async (_how, open) => {
    const server: { url: string; close?: () => void } = await open();
    const env = { OTEL_EXPORTER_OTLP_TIMEOUT: '500', MORE: '200' };
    const served = await serveOnce({ OTEL_EXPORTER_OTLP_ENDPOINT: server.url, ...env });
    server.close?.();
    expect(served).toMatchObject(WELL);
    expect(served.log.filter(({ level }: { level: string }) => level !== 'info')).toEqual([
      expect.objectContaining({
        level: 'warn',
        msg: 'traces are lost: the collector does not take them',
      }),
    ]);
  });

  it('samples as the standard variables say', async () => {
    const before = collector.spans.length;
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER: 'always_off' };
    expect(await serveOnce({ ...env, MORE: '1' })).toMatchObject(WELL);
    expect(collector.spans.length).toBe(before);
  });

  it('sends its spans before an invocation on AWS ends', async () => {
    const before = collector.spans.length;
    await serveOnce({ ...AWS, OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    expect(collector.spans.length).toBeGreaterThan(before);
  });

  it('holds up one invocation on AWS, and no more, while the collector is silent', async () => {
    const { url, close } = await silentServer();
    const served = await serveOnce({ ...AWS, OTEL_EXPORTER_OTLP_ENDPOINT: url, MORE: '10' });
    close();
    // Each of them would wait for a second.
    expect(served.moreMs).toBeLessThan(1000);
  });
});

async function silentServer() {
  return listening(createServer(() => {}));
}

async function failingServer() {
  return listening(createServer((_request, response) => response.writeHead(500).end()));
}

async function listening(server: ReturnType<typeof createServer>) {
  const port = await freePort(undefined);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
