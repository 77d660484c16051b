import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { parseApiKey } from '../../lib/access/api-key.ts';
import { useDatabase } from '../support/database.ts';
import { storeKey } from '../support/keys.ts';
import { useQueue } from '../support/queue.ts';

const database = useDatabase();
const broker = useQueue();

/** All that the functions log and answer, as a process of their own. */
async function outputWith(key: string, env: Record<string, string> = {}): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    ['test/access/fixtures/ask-with-key.ts'],
    {
      env: {
        ...process.env,
        KEY: key,
        AUTH: 'keys',
        LOG_LEVEL: 'debug',
        DATABASE_URL: database.url,
        TASK_QUEUE_URL: broker.settings.url,
        DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
        SQS_ENDPOINT: broker.settings.endpoint ?? '',
        ...env,
      },
    },
  );
  return stdout + stderr;
}

describe('the secret of an API key', () => {
  it.each([
    ['when all is well', async () => ({}), '202 '],
    [
      'when the database is away',
      async () => ({ DATABASE_URL: `postgres://a@127.0.0.1:${await freePort(undefined)}/b` }),
      'ECONNREFUSED',
    ],
    ['when the configuration is wrong', async () => ({ LEASE_SECONDS: '0' }), 'LEASE_SECONDS must'],
  ])('is in no log and no answer %s', async (_when, env, evidence) => {
    const { apiKey } = await storeKey(database.sql);
    const output = await outputWith(apiKey, await env());
    expect(output).toContain(evidence);
    expect(output).not.toContain(parseApiKey(apiKey)?.secret);
  });
});
