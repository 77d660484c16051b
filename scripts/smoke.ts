/**
 * `npm run smoke -- URL`: asks a running errand to run a command, and looks whether what comes back
 * is right. ERRAND_API_KEY, when set, says who asks. Exit code 0: it works.
 */
import { setTimeout as delay } from 'node:timers/promises';

const PATIENCE_MS = 60_000;

const [url, ...others] = process.argv.slice(2);
if (url === undefined || others.length > 0 || !URL.canParse(url)) {
  console.error('usage: npm run smoke -- https://abc.execute-api.us-east-1.amazonaws.com');
  process.exit(2);
}
const key = process.env.ERRAND_API_KEY;
const headers = {
  'content-type': 'application/json',
  ...(key && { authorization: `Bearer ${key}` }),
};

async function call(method: string, path: string, body?: unknown) {
  const answer = await fetch(new URL(path, url), {
    method,
    headers,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, body: JSON.parse((await answer.text()) || 'null') };
}

function expectThat(what: string, holds: boolean, seen: unknown): void {
  console.log(`${holds ? 'ok  ' : 'FAIL'}  ${what}`);
  if (!holds) throw new Error(`${what}: ${JSON.stringify(seen)}`);
}

async function untilEnded(id: string) {
  for (const until = performance.now() + PATIENCE_MS; ; await delay(500)) {
    const { body } = await call('GET', `/api/tasks/${id}`);
    if (!['queued', 'running'].includes(body.status) || performance.now() > until) return body;
  }
}

try {
  const live = await call('GET', '/health/live');
  expectThat('GET /health/live answers', live.status === 200, live);
  const ready = await call('GET', '/health/ready');
  expectThat('GET /health/ready finds the database and the queue', ready.status === 200, ready);

  const created = await call('POST', '/api/tasks', { command: 'echo hello; exit 3' });
  expectThat('POST /api/tasks accepts a command', created.status === 202, created);
  const task = await untilEnded(created.body.id);
  expectThat('the command runs', task.status === 'failed', task);
  expectThat('its output is there', task.stdout === 'hello\n', task);
  expectThat('its exit code is true', task.attempts?.[0]?.exitCode === 3, task);

  const long = await call('POST', '/api/tasks', { command: 'sleep 120' });
  const cancelled = await call('POST', `/api/tasks/${long.body.id}/cancel`);
  expectThat('POST /api/tasks/{id}/cancel is taken', cancelled.status === 202, cancelled);
  const ended = await untilEnded(long.body.id);
  expectThat('and ends the command', ended.status === 'cancelled', ended);

  const bad = await call('POST', '/api/tasks', { command: 1 });
  expectThat(
    'nonsense gets problem details',
    bad.status >= 400 && bad.status < 500 && !!bad.body.code,
    bad,
  );
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
