import { describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { deliver, request } from '../support/functions.ts';
import { anHttpEvent, aPost } from '../support/http-event.ts';
import { anSqsEvent } from '../support/sqs-event.ts';

process.env.LOG_LEVEL = 'silent';

describe('functions without their configuration', () => {
  it('answer 500 without telling what is missing', async () => {
    const answer = await request('create-task', aPost({ command: 'ls' }));
    expectProblem(answer, 500, 'internal_error');
    expect(JSON.stringify(answer.body)).not.toContain('DATABASE_URL');
  });

  it('still say that they are alive', async () => {
    expect(await request('health-live', anHttpEvent())).toMatchObject({ status: 200 });
  });

  it('take no messages', async () => {
    await expect(deliver(anSqsEvent())).rejects.toThrow('DATABASE_URL is not set');
  });
});
