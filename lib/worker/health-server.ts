import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { MetricsText } from '../observability/prometheus.ts';

export interface HealthServerOptions {
  readonly host: string;
  readonly port: number;
  /** What the worker needs, and whether it has it. */
  readonly check: () => Promise<Readonly<Record<string, 'up' | 'down'>>>;
  /** For `GET /metrics`; undefined: there is no such thing. */
  readonly readMetrics: (() => Promise<MetricsText>) | undefined;
}

/**
 * Answers what orchestrators ask, as the API does: `GET /health/live`, 200 as long as the process
 * answers at all, and `GET /health/ready`, 200 when it takes messages, else 503 with what is down. And
 * `GET /metrics`, as Prometheus scrapes it.
 * @throws Error when it cannot listen there
 */
export async function startHealthServer({
  host,
  port,
  check,
  readMetrics,
}: HealthServerOptions): Promise<{ readonly close: () => void }> {
  const server = createServer(async ({ method, url }, response) => {
    if (method !== 'GET' && method !== 'HEAD') return answer(response, 405, { status: 'wrong' });
    if (url === '/health/live') return answer(response, 200, { status: 'live' });
    if (url === '/metrics' && readMetrics) {
      const { contentType, text } = await readMetrics();
      response.writeHead(200, { 'content-type': contentType });
      return response.end(text);
    }
    if (url !== '/health/ready') return answer(response, 404, { status: 'unknown' });
    const checks = await check();
    const ready = Object.values(checks).every((state) => state === 'up');
    answer(response, ready ? 200 : 503, { status: ready ? 'ready' : 'unavailable', checks });
  });
  server.listen(port, host);
  await once(server, 'listening').catch((error: unknown) => {
    throw new Error(`WORKER_PORT ${port} cannot be listened on; take another one.`, {
      cause: error,
    });
  });
  return {
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}
