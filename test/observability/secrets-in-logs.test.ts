import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parseApiKey } from '../../lib/access/api-key.ts';
import { useDatabase } from '../support/database.ts';
import { storeKey } from '../support/keys.ts';
import { useQueue } from '../support/queue.ts';
import { noRabbit, useRabbit } from '../support/rabbitmq.ts';
import { spawnWorker } from '../worker/spawned-worker.ts';

const database = useDatabase();
const broker = useQueue();
const rabbit = useRabbit();

/** As it was sent, as Postgres writes bytes, and as JSON does. */
const SECRET = new RegExp(
  ['s3cr3t', Buffer.from('s3cr3t').toString('hex'), ...base64Of('s3cr3t')].join('|'),
  'g',
);

/** What remains the same of a text in base64, wherever in other bytes it begins. */
function base64Of(text: string): string[] {
  return [0, 1, 2].map((offset) => {
    const encoded = Buffer.from('\0'.repeat(offset) + text).toString('base64');
    const bits = (bytes: number) => (bytes * 8) / 6;
    return encoded.slice(Math.ceil(bits(offset)), Math.floor(bits(offset + text.length)));
  });
}

const linesWith = (pattern: RegExp, log: string) =>
  log.split('\n').filter((line) => line.search(pattern) >= 0);

async function logOf(env: Readonly<Record<string, string>>): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['test/observability/fixtures/tell-secrets.ts'],
    {
      maxBuffer: 64 * 1024 * 1024,
      env: {
        ...process.env,
        AUTH: 'keys',
        SANDBOX: 'unsafe-none',
        LOG_LEVEL: 'debug',
        DATABASE_PREPARE: 'false',
        TASK_QUEUE_URL: broker.settings.url,
        DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
        SQS_ENDPOINT: broker.settings.endpoint ?? '',
        ...env,
      },
    },
  );
  return stdout + stderr;
}

describe('the log', () => {
  it('tells no secret of a caller or a command, whatever happens', async () => {
    const { apiKey } = await storeKey(database.sql, { scopes: ['read', 'write', 'admin'] });
    const log = await logOf({ DATABASE_URL: database.url, KEY: apiKey });
    // It was there, and told of each kind of trouble.
    for (const evidence of [
      'all told',
      '"status":500',
      '"status":401',
      'returned a message that is none of ours',
      'The sandbox launcher',
      'left to the relay',
      'rescue-tasks',
      '"constraint":"refusal"',
      'invalid input syntax for type integer: \\"...\\"',
      'could not store output yet',
    ]) {
      expect(log).toContain(evidence);
    }
    expect(linesWith(SECRET, log)).toEqual([]);
    expect(log).not.toContain(parseApiKey(apiKey)?.secret);
  }, 60_000);

  it('tells no password of the database', async () => {
    const url = new URL(database.url);
    url.password = 's3cr3t-password';
    const log = await logOf({ DATABASE_URL: url.href, KEY: 'errand_' }).catch(String);
    expect(log).toContain('password authentication failed');
    expect(linesWith(SECRET, log)).toEqual([]);
  });

  it.skipIf(noRabbit)('tells no password of RabbitMQ', async () => {
    const url = new URL(rabbit.url);
    url.password = 's3cr3t-password';
    const env = { LOG_LEVEL: 'debug', DATABASE_URL: database.url, RABBITMQ_URL: url.href };
    const worker = spawnWorker(env);
    await worker.logged('RabbitMQ does not let us take messages');
    worker.child.kill('SIGKILL');
    await worker.ended;
    expect(linesWith(SECRET, JSON.stringify(worker.lines))).toEqual([]);
  });
});
