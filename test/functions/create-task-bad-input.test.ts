import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { aPost } from '../support/http-event.ts';

const { database, broker } = useFunctions();

beforeEach(async () => {
  await database.sql`truncate errand.tasks cascade`;
  await broker.purge();
});

const post = (document: unknown, headers = {}) => request('create-task', aPost(document, headers));
const postText = (body: string, fields = {}) =>
  request('create-task', { ...aPost({}), body, ...fields });

/** Nothing of a refused request may be left. */
async function expectNoTrace(): Promise<void> {
  expect(await database.sql`select from errand.tasks`).toHaveLength(0);
  expect(await database.sql`select from errand.outbox`).toHaveLength(0);
  expect(await broker.drain()).toEqual([]);
}

describe('POST /api/tasks refuses, and leaves nothing of,', () => {
  afterEach(expectNoTrace);

  it.each<[string, unknown, string, string]>([
    ['no command', {}, 'command', 'is missing: give command or argv'],
    ['an empty command', { command: '' }, 'command', 'must not be empty'],
    ['a blank command', { command: ' \n\t' }, 'command', 'must not be empty'],
    [
      'a command of 64 KiB and a byte',
      { command: 'x'.repeat(65_537) },
      'command',
      'must not be longer than 65536 bytes',
    ],
    [
      'a command of 64 KiB in wide characters',
      { command: '€'.repeat(22_000) },
      'command',
      'must not be longer than 65536 bytes',
    ],
    ['a NUL byte in a command', { command: 'echo \0' }, 'command', 'must not contain a NUL byte'],
    [
      'a lone surrogate in a command',
      { command: 'echo \ud800' },
      'command',
      'must not contain a lone surrogate (invalid Unicode)',
    ],
    ['a number for a command', { command: 5 }, 'command', 'must be a string'],
    ['null for a command', { command: null }, 'command', 'must be a string'],
    [
      'command and argv',
      { command: 'ls', argv: ['ls'] },
      'command',
      'must not be given together with argv',
    ],
    ['a text for argv', { argv: 'ls -l' }, 'argv', 'must be an array of strings'],
    ['no program in argv', { argv: [] }, 'argv', 'must name a program'],
    ['an empty program in argv', { argv: ['', '-l'] }, 'argv.0', 'must not be empty'],
    ['a number in argv', { argv: ['sleep', 5] }, 'argv.1', 'must be a string'],
    ['a NUL byte in argv', { argv: ['ls', '\0'] }, 'argv.1', 'must not contain a NUL byte'],
    [
      '1025 arguments',
      { argv: Array(1025).fill('x') },
      'argv',
      'must not have more than 1024 items',
    ],
    ['a field that it does not know', { command: 'ls', cmd: 'ls' }, 'cmd', 'is not a known field'],
    [
      'fields with names that objects know',
      { command: 'ls', constructor: 1 },
      'constructor',
      'is not a known field',
    ],
    ['a number for stdin', { command: 'cat', stdin: 5 }, 'stdin', 'must be a string'],
    [
      'more than 512 KiB for stdin',
      { command: 'cat', stdin: 'x'.repeat(524_289) },
      'stdin',
      'must not be longer than 524288 bytes',
    ],
    ['an array for env', { command: 'env', env: ['A=b'] }, 'env', 'must be an object of strings'],
    [
      'a variable that begins with a digit',
      { command: 'env', env: { '1A': 'x' } },
      'env.1A',
      'must be a name of letters, digits and "_", not starting with a digit',
    ],
    [
      'a variable with "=" in its name',
      { command: 'env', env: { 'A=B': 'x' } },
      'env.A=B',
      'must be a name of letters, digits and "_", not starting with a digit',
    ],
    ['a number for a variable', { command: 'env', env: { A: 1 } }, 'env.A', 'must be a string'],
    [
      'a NUL byte in a variable',
      { command: 'env', env: { A: '\0' } },
      'env.A',
      'must not contain a NUL byte',
    ],
    [
      'more than 32 KiB of variables',
      { command: 'env', env: { A: 'x'.repeat(32_768) } },
      'env',
      'must not be longer than 32768 bytes together',
    ],
    [
      'a number for a label',
      { command: 'ls', labels: { team: 1 } },
      'labels.team',
      'must be a string',
    ],
    [
      'a label without a name',
      { command: 'ls', labels: { '': 'x' } },
      'labels.',
      'must be 1 to 256 bytes of text',
    ],
    [
      'a label of 257 bytes',
      { command: 'ls', labels: { team: 'x'.repeat(257) } },
      'labels.team',
      'must not be longer than 256 bytes',
    ],
    [
      'a NUL byte in a label, which Postgres cannot store',
      { command: 'ls', labels: { team: '\0' } },
      'labels.team',
      'must not contain a NUL byte',
    ],
    [
      '33 labels',
      {
        command: 'ls',
        labels: Object.fromEntries(Array.from({ length: 33 }, (_, n) => [`k${n}`, 'v'])),
      },
      'labels',
      'must not have more than 32 entries',
    ],
    [
      'a time-out of 0',
      { command: 'ls', timeoutSeconds: 0 },
      'timeoutSeconds',
      'must be a whole number from 1 to 840',
    ],
    [
      'a time-out of 841 s',
      { command: 'ls', timeoutSeconds: 841 },
      'timeoutSeconds',
      'must be a whole number from 1 to 840',
    ],
    [
      'half a second',
      { command: 'ls', timeoutSeconds: 0.5 },
      'timeoutSeconds',
      'must be a whole number from 1 to 840',
    ],
    [
      'a text for a number',
      { command: 'ls', timeoutSeconds: '5' },
      'timeoutSeconds',
      'must be a whole number from 1 to 840',
    ],
    [
      'too little memory',
      { command: 'ls', memoryMb: 15 },
      'memoryMb',
      'must be a whole number from 16 to 2048',
    ],
    [
      'more processes than there may be',
      { command: 'ls', limits: { processes: 257 } },
      'limits.processes',
      'must be a whole number from 1 to 256',
    ],
    [
      'a limit that does not exist',
      { command: 'ls', limits: { networks: 1 } },
      'limits.networks',
      'is not a known field',
    ],
    [
      'limits that are no object',
      { command: 'ls', limits: 5 },
      'limits',
      'must be an object of whole numbers',
    ],
    [
      '11 attempts',
      { command: 'ls', maxAttempts: 11 },
      'maxAttempts',
      'must be a whole number from 1 to 10',
    ],
    [
      'a negative delay',
      { command: 'ls', delaySeconds: -1 },
      'delaySeconds',
      'must be a whole number from 0 to 31536000',
    ],
    [
      'a time that is none',
      { command: 'ls', runAt: 'tomorrow' },
      'runAt',
      'must be a time as in 2030-01-31T12:00:00Z',
    ],
    [
      'a day that is none',
      { command: 'ls', runAt: '2030-02-30T12:00:00Z' },
      'runAt',
      'must be a time as in 2030-01-31T12:00:00Z',
    ],
    [
      'a start in two years',
      { command: 'ls', runAt: '9999-12-31T23:59:59Z' },
      'runAt',
      'must not be more than a year ahead',
    ],
    [
      'runAt and delaySeconds',
      { command: 'ls', runAt: '2026-01-01T00:00:00Z', delaySeconds: 0 },
      'delaySeconds',
      'must not be given together with runAt',
    ],
    [
      'another word for onWorkerLost',
      { command: 'ls', onWorkerLost: 'ask' },
      'onWorkerLost',
      'must be "rerun" or "fail"',
    ],
    ['null', null, '', 'must be a JSON object'],
    ['an array', ['ls'], '', 'must be a JSON object'],
    ['a text', 'ls', '', 'must be a JSON object'],
    ['a number', 5, '', 'must be a JSON object'],
  ])('%s', async (_what, document, path, message) => {
    const answer = await post(document);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toEqual([{ path, message }]);
    expect(answer.body.detail).toBe(`${path || 'The request'}: ${message}`);
  });

  it.each([
    ['a number beyond all numbers', '{"command":"ls","timeoutSeconds":1e400}', 'timeoutSeconds'],
    ['minus zero', '{"command":"ls","timeoutSeconds":-0}', 'timeoutSeconds'],
    ['a variable called __proto__', '{"command":"ls","env":{"__proto__":"x"}}', '__proto__'],
    ['a label called __proto__', '{"command":"ls","labels":{"\\u005f_proto__":"x"}}', '__proto__'],
    [
      '__proto__ in other letters',
      '{"command":"ls","labels":{"__pr\\u006Fto__":"x"}}',
      '__proto__',
    ],
    ['a field called __proto__', '{"command":"ls","__proto__":{"argv":["ls"]}}', '__proto__'],
  ])('%s', async (_what, body, path) => {
    const answer = await postText(body);
    expectProblem(answer, 400, 'invalid_request');
    expect(answer.body.errors).toMatchObject([{ path }]);
  });

  it.each([
    ['no body', undefined, 'The body is empty; a JSON object is expected.'],
    ['an empty body', '', 'The body is empty; a JSON object is expected.'],
    ['JSON that breaks off', '{"command":', 'Not JSON: Unexpected end of JSON input'],
    ['single quotes', "{'command':'ls'}", 'Not JSON: Expected property name'],
    ['a form', 'command=ls', 'Not JSON: Unexpected token'],
  ])('%s', async (_what, body, detail) => {
    const { body: _none, ...event } = aPost({});
    const answer = await request('create-task', { ...event, ...(body !== undefined && { body }) });
    expectProblem(answer, 400, 'malformed_json');
    expect(answer.body.detail).toContain(detail);
  });

  it('bytes that are not UTF-8', async () => {
    const body = Buffer.from('{"command":"echo \xff"}', 'latin1').toString('base64');
    const answer = await postText(body, { isBase64Encoded: true });
    expectProblem(answer, 400, 'malformed_json');
    expect(answer.body.detail).toBe('The body is not UTF-8.');
  });

  it.each([
    [
      'a form',
      { 'content-type': 'application/x-www-form-urlencoded' },
      /instead of "application\/x-www-form-urlencoded"/,
    ],
    ['plain text', { 'content-type': 'text/plain' }, /instead of "text\/plain"/],
    ['a type that only begins like JSON', { 'content-type': 'application/jsonp' }, /instead of/],
  ])('the content type of %s', async (_what, headers, detail) => {
    const answer = await post({ command: 'ls' }, headers);
    expectProblem(answer, 415, 'unsupported_media_type');
    expect(answer.body.detail).toMatch(detail);
  });

  it('a body without a content type', async () => {
    const event = aPost({ command: 'ls' });
    delete event.headers['content-type'];
    expectProblem(await request('create-task', event), 415, 'unsupported_media_type');
  });

  it.each([
    ['text', 'x'.repeat(4 * 1024 * 1024 + 1), false],
    ['base64', Buffer.alloc(4 * 1024 * 1024 + 1).toString('base64'), true],
  ])('a body over the limit, in %s', async (_how, body, isBase64Encoded) => {
    const answer = await postText(body, { isBase64Encoded });
    expectProblem(answer, 413, 'body_too_large');
    expect(answer.body.detail).toBe('The body has 4194305 bytes; at most 4194304 are allowed.');
  });

  it.each([
    ['nested deeply', '['.repeat(500_000)],
    ['nested deeply, and named badly', `${'{"__proto__":'.repeat(40_000)}1${'}'.repeat(40_000)}`],
    ['of mistakes alone', JSON.stringify({ argv: Array(200_000).fill(1) })],
    [
      'of unknown fields alone',
      `{${Array.from({ length: 90_000 }, (_, n) => `"f${n}":1`).join()}}`,
    ],
    ['with one long name', `{"${'x'.repeat(1_000_000)}":1}`],
  ])('a body %s, in a short answer', async (_what, body) => {
    const answer = await postText(body);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body).length).toBeLessThan(10_000);
  });

  it('several mistakes at once, and names them all', async () => {
    const answer = await post({ command: '', timeoutSeconds: 0, labels: 5, what: 1 });
    expect(answer.body.detail).toBe('4 fields are wrong; see "errors".');
    const paths = answer.body.errors.map(({ path }: { path: string }) => path);
    expect(paths.sort()).toEqual(['command', 'labels', 'timeoutSeconds', 'what']);
  });

  it.each([
    ['another site', 'https://evil.example'],
    ['another port', 'http://localhost:8080'],
    ['a sandboxed frame', 'null'],
    ['nonsense', 'not an origin'],
  ])('what a page of %s sends', async (_what, origin) => {
    const answer = await post({ command: 'ls' }, { origin });
    expectProblem(answer, 403, 'cross_origin');
  });
});
