import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OVERVIEW } from '../../monitoring/grafana/overview.ts';
import { eventually } from '../support/eventually.ts';
import { noPrometheus, type Prometheus, startPrometheus } from '../support/prometheus.ts';
import { anyPort, type Checkout, checkOut, type Start } from './local-stack.ts';

const run = promisify(execFile);
const DOCS = readFileSync(join(import.meta.dirname, '../../docs/metrics.md'), 'utf8');

/** A command of docs/metrics.md, which makes the file `errand-key`. */
const MAKE_KEY = /^npm run .*keys[^`]*errand-key$/m.exec(DOCS)?.[0] ?? 'false';

/** A message that Postgres's end cost is sent anew after half a minute. */
const ENDED_WITHIN_MS = 60_000;
/** Rounds of load until the last query has its data. */
const DATA_WITHIN_MS = 120_000;

/** A panel's query, as Grafana sends it with all processes chosen. */
function filledIn(query: string): string {
  return query.replaceAll('$__rate_interval', '30s').replaceAll('$instance', '.+');
}

/** What an alert looks at: its expression without the thresholds. */
function withoutThresholds(query: string): string {
  return query.replaceAll(/ (<|>|==) [\d.]+/g, '');
}

/** Alerts that look for what is not there; rules.test.yml has them fire. */
const OF_NOTHING = ['ErrandDown', 'ErrandSandboxFails'];

describe.skipIf(noPrometheus !== undefined)('errand under Prometheus', () => {
  let checkout: Checkout;
  let errand: Start;
  let prometheus: Prometheus;
  let headers: Record<string, string>;

  const inCheckout = (command: string) =>
    run('sh', ['-c', command], { cwd: checkout.directory }).then(({ stdout }) => stdout);

  beforeAll(async () => {
    checkout = await checkOut();
    const port = await anyPort();
    errand = checkout.start(port, { AUTH: 'keys', LEASE_SECONDS: '3' });
    await errand.ready();
    const key = JSON.parse(
      await inCheckout('npm run --silent keys -- create --name load --per-minute none --json'),
    );
    headers = { authorization: `Bearer ${key.apiKey}`, 'content-type': 'application/json' };
    const keyFile = join(checkout.directory, 'errand-key');
    await writeFile(keyFile, 'none');
    prometheus = await startPrometheus(`127.0.0.1:${port}`, keyFile);
  });
  afterAll(async () => {
    await prometheus?.close();
    await checkout?.remove();
  });

  interface Task {
    readonly id: string;
    readonly status: string;
  }

  async function request(path: string, body?: object) {
    const method = body === undefined ? 'GET' : 'POST';
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(`${errand.url}${path}`, { method, headers, ...init });
    return { status: response.status, body: (await response.json()) as { items: Task[] } & Task };
  }

  async function create(tasks: readonly object[]): Promise<string[]> {
    const { status, body } = await request('/api/tasks/batch', { tasks });
    expect(status, JSON.stringify(body)).toBe(202);
    return body.items.map(({ id }) => id);
  }

  async function status(id: string): Promise<string> {
    return (await request(`/api/tasks/${id}`)).body.status;
  }

  /** Some of all that users do; resolves when its tasks have ended. */
  async function load(): Promise<void> {
    const ids = await create([
      ...Array.from({ length: 10 }, () => ({ command: 'echo hello; echo ouch >&2' })),
      { command: 'exit 3' },
      { command: 'exit 1', maxAttempts: 2, retryDelaySeconds: 0 },
      { command: 'kill -KILL $$' },
      { command: 'sleep 10', timeoutSeconds: 1 },
    ]);
    const [later = ''] = await create([{ command: 'true', delaySeconds: 600 }]);
    expect((await request(`/api/tasks/${later}/cancel`, {})).status).toBe(202);
    expect((await request('/api/tasks', { command: 'true' })).status).toBe(202);
    expect((await request('/api/tasks?status=failed')).status).toBe(200);
    expect((await request('/api/stats')).status).toBe(200);
    expect((await request('/api/nothing')).status).toBe(404);
    for (const id of ids) {
      await eventually(
        async () => expect(await status(id)).toMatch(/succeeded|failed/),
        ENDED_WITHIN_MS,
      );
    }
  }

  /** Those that have no figure as of now. */
  async function withoutData(queries: readonly string[]): Promise<string[]> {
    const results = await Promise.all(queries.map((query) => prometheus.query(query)));
    return queries.filter((_, index) => results[index]?.every(({ value }) => Number.isNaN(value)));
  }

  it('is told that it needs a key, and takes the one that docs/metrics.md makes', async () => {
    await eventually(async () => {
      expect(await prometheus.targets()).toMatchObject([
        { health: 'down', lastError: expect.stringContaining('401') },
      ]);
    }, 30_000);
    await inCheckout(MAKE_KEY);
    await eventually(async () => {
      expect(await prometheus.targets()).toMatchObject([{ health: 'up', lastError: '' }]);
    }, 30_000);
  });

  it('counts tasks that are run again because their worker was lost', async () => {
    const [id = ''] = await create([{ command: 'sleep 4' }]);
    await eventually(async () => expect(await status(id)).toBe('running'), 30_000);
    process.kill(await checkout.pidOf('functions'), 'SIGKILL');
    await eventually(async () => expect(await status(id)).toBe('succeeded'), 60_000);
    await eventually(async () => {
      const [rescues] = await prometheus.query('sum(errand_rescues_total{what="lost"})');
      expect(rescues?.value).toBeGreaterThanOrEqual(1);
    }, 30_000);
  });

  it('counts answers of 5xx while Postgres is away', async () => {
    process.kill(await checkout.pidOf('postgres'), 'SIGKILL');
    const path = '/api/tasks?limit=1';
    await eventually(async () => expect((await request(path)).status).toBe(503), 20_000);
    await eventually(async () => expect((await request(path)).status).toBe(200), 30_000);
    await eventually(async () => {
      const errors = 'sum(errand_http_request_duration_seconds_count{status="503"})';
      expect(await prometheus.query(errors)).toHaveLength(1);
      const failed = 'sum(errand_statement_duration_seconds_count{result="failed"})';
      expect(await prometheus.query(failed)).toHaveLength(1);
    }, 30_000);
  });

  it('has data for every query of every panel', async () => {
    const panels = OVERVIEW.flatMap(({ panels }) => panels);
    const queries = panels.flatMap((panel) => Object.values(panel.queries)).map(filledIn);
    expect(queries.length).toBeGreaterThan(50);
    await eventually(async () => {
      await load();
      expect(await withoutData(queries)).toEqual([]);
    }, DATA_WITHIN_MS);
  });

  it('has data for every rule, and no rule that fails', async () => {
    const rules = await prometheus.rules();
    expect(rules.length).toBeGreaterThan(15);
    const queries = rules
      .filter(({ name }) => !OF_NOTHING.includes(name))
      .map(({ type, query }) => (type === 'alerting' ? withoutThresholds(query) : query));
    await eventually(async () => {
      await load();
      expect(await withoutData(queries)).toEqual([]);
    }, DATA_WITHIN_MS);
    const failing = (await prometheus.rules()).filter(({ health }) => health !== 'ok');
    expect(failing).toEqual([]);
  });

  it('agrees with errand about what came and went', async () => {
    const value = async (query: string) => (await prometheus.query(query))[0]?.value;
    await eventually(async () => {
      expect(
        await value('max(errand_tasks{status="queued"} + on () errand_tasks{status="running"})'),
      ).toBe(0);
      expect(await value('max(errand_oldest_wait_seconds)')).toBe(0);
      // One task was created in a process that was killed, and its counters with it.
      const unended = 'sum(errand_tasks_created_total) - sum(errand_tasks_ended_total)';
      expect(await value(unended)).toBe(-1);
    }, 30_000);
  });

  it('has a bounded number of series', async () => {
    const [series] = await prometheus.query('count({job="errand"})');
    expect(series?.value).toBeGreaterThan(100);
    expect(series?.value).toBeLessThan(2000);
  });

  it('leaves nothing behind', async () => {
    errand.child.kill('SIGTERM');
    expect(await errand.ended).toBe(0);
    expect(await checkout.processes()).toEqual([]);
  });
});
