import type { Context } from 'aws-lambda';
import { describe, expect, it } from 'vitest';
import { httpHandler } from '../../lib/http/http-handler.ts';
import { QueueUnavailable } from '../../lib/queue/task-queue.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { keptLog } from '../support/kept-log.ts';

const context = {
  awsRequestId: 'aws-1',
  getRemainingTimeInMillis: () => 10_000,
} as Context;

/** What is logged about a request that ends with the error. */
async function logged(error: unknown): Promise<readonly object[]> {
  const { logger, lines } = keptLog();
  const handler = httpHandler(
    { open: () => undefined, logger, accessLevel: 'debug', allowedHosts: [], corsOrigins: [] },
    async () => {
      throw error;
    },
  );
  await handler(anHttpEvent({ path: '/api/tasks' }), context);
  return lines();
}

const refused = () =>
  Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });

describe('problemDetails', () => {
  it('logs what is unavailable in one line without a stack', async () => {
    expect(await logged(refused())).toEqual([
      expect.objectContaining({
        level: 'warn',
        msg: 'The database is not available. Try again shortly.',
        cause: 'connect ECONNREFUSED 127.0.0.1:5432',
        code: 'ECONNREFUSED',
      }),
    ]);
    expect(JSON.stringify(await logged(refused()))).not.toContain('    at ');
  });

  it('logs why as well when that is the cause of the error', async () => {
    const cause = Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' });
    expect(await logged(new QueueUnavailable('SQS did not answer', { cause }))).toEqual([
      expect.objectContaining({
        cause: 'SQS did not answer: ECONNREFUSED',
        code: 'ECONNREFUSED',
      }),
    ]);
  });

  it('logs a mistake of ours with its stack', async () => {
    const [line] = await logged(new TypeError('undefined is not a function'));
    expect(line).toMatchObject({ level: 'error', err: { message: 'undefined is not a function' } });
    expect(JSON.stringify(line)).toContain('    at ');
  });
});
