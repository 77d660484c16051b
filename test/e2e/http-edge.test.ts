import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { useStack } from './local-stack.ts';

const run = promisify(execFile);
const JSON_TYPE = ['--header', 'Content-Type: application/json'];

const stack = useStack();

interface Answer {
  readonly status: number;
  readonly headers: string;
  readonly body: { code?: string; detail?: string };
}

/** A request as a user's curl sends it; the body as it is, through a file of its own. */
async function curl(path: string, options: string[] = [], body?: Buffer | string): Promise<Answer> {
  const call = run('curl', [
    ...['--silent', '--include', '--path-as-is', ...options],
    ...(body === undefined ? [] : ['--data-binary', '@-']),
    `${stack.url}${path}`,
  ]);
  call.child.stdin?.end(body);
  const { stdout } = await call;
  return parse(stdout);
}

/** A request that no HTTP client would send. */
async function raw(request: string): Promise<Answer> {
  const socket = connect(Number(new URL(stack.url).port), '127.0.0.1');
  socket.write(request);
  return parse(await text(socket));
}

function parse(answer: string): Answer {
  const [head = '', body = ''] = answer.replace(/^HTTP\/1.1 100.*\r\n\r\n/, '').split('\r\n\r\n');
  const status = Number(head.split(' ')[1]);
  return {
    status,
    headers: head.toLowerCase(),
    body: body.startsWith('{') ? JSON.parse(body) : {},
  };
}

async function storedTasks(): Promise<number> {
  const response = await fetch(`${stack.url}/api/tasks`);
  return ((await response.json()) as { items: unknown[] }).items.length;
}

describe('the API behind serverless-offline', () => {
  it.each([
    ['a number', '0', 'invalid_request'],
    ['false', 'false', 'invalid_request'],
    ['null', 'null', 'invalid_request'],
    ['a text that holds JSON', '"{\\"command\\":\\"true\\"}"', 'invalid_request'],
    ['broken JSON', '{"command":', 'malformed_json'],
    ['bytes that are no UTF-8', Buffer.from('{"command":"echo \xff"}', 'latin1'), 'malformed_json'],
  ])('answers 400 to a body that is %s, and stores nothing', async (_what, body, code) => {
    const answer = await curl('/api/tasks', JSON_TYPE, body);
    expect([answer.status, answer.body.code]).toEqual([400, code]);
    expect(answer.headers).toContain('content-type: application/problem+json');
    expect(await storedTasks()).toBe(0);
  });

  it('does not take "null" for the wish to redrive every dead letter', async () => {
    const answer = await curl('/api/dead-letters/redrive', JSON_TYPE, 'null');
    expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
  });

  it.each([
    ['without a content type', ['--header', 'Content-Type:']],
    ["with curl's own content type", []],
  ])('answers 415 to a body %s', async (_what, options) => {
    const answer = await curl('/api/tasks', options, '{"command":"true"}');
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it.each([
    ['over our limit', 5, 413],
    ["over the gateway's limit", 11, 413],
  ])('answers 413 to a body %s', async (_what, megabytes, status) => {
    const body = JSON.stringify({ command: 'x'.repeat(megabytes * 1024 * 1024) });
    const answer = await curl('/api/tasks', JSON_TYPE, body);
    expect(answer).toMatchObject({ status, body: { code: 'body_too_large' } });
  });

  it.each(['/api/tasks/%', '/api/tasks/%zz', '/api/tasks/%ff'])(
    'answers 400 as problem details to the path %s',
    async (path) => {
      const answer = await curl(path);
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    },
  );

  it.each(['a b c', '[::1', 'localhost:99999', '%zz'])(
    'answers 400 as problem details to the host %s',
    async (host) => {
      const answer = await raw(
        `GET /api/tasks HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    },
  );

  it('invites no page of another origin', async () => {
    const answer = await curl('/api/tasks', [
      ...['--request', 'OPTIONS', '--header', 'Origin: http://evil.example'],
      ...['--header', 'Access-Control-Request-Method: POST'],
    ]);
    expect(answer.status).toBe(403);
    expect(answer.headers).not.toContain('access-control');
  });

  it('refuses a name that was rebound to this machine', async () => {
    const answer = await curl('/api/tasks', ['--header', 'Host: evil.example']);
    expect(answer).toMatchObject({ status: 421, body: { code: 'unknown_host' } });
  });

  it.each(['/api/tasks/', '/health/live/'])('answers 404 to %s, as on AWS', async (path) => {
    expect(await curl(path)).toMatchObject({ status: 404, body: { code: 'route_not_found' } });
  });

  it('answers 415 to a body whose content type is empty', async () => {
    const answer = await raw(
      'POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: \r\n' +
        'Content-Length: 18\r\n\r\n{"command":"true"}',
    );
    expect(answer).toMatchObject({ status: 415, body: { code: 'unsupported_media_type' } });
  });

  it('answers 415 to a compressed body', async () => {
    const options = [...JSON_TYPE, '--header', 'Content-Encoding: gzip'];
    const answer = await curl('/api/tasks', options, gzipSync('{"command":"true"}'));
    expect(answer).toMatchObject({
      status: 415,
      body: { detail: 'Send the body as it is, not as gzip.' },
    });
  });

  it('answers with a whole document who asks for a part of it', async () => {
    const answer = await curl('/health/live', ['--range', '0-3']);
    expect(answer).toMatchObject({ status: 200, body: { status: 'live' } });
  });

  it('answers a HEAD like its GET, without a body', async () => {
    const answer = await curl('/api/tasks', ['--head']);
    expect(answer.status).toBe(200);
    expect(answer.headers).toContain('content-type: application/json');
  });
});
