import { describe, expect, it } from 'vitest';
import { expectProblem } from '../support/expect-problem.ts';
import { request, useFunctions } from '../support/functions.ts';
import { aPost } from '../support/http-event.ts';

const { database } = useFunctions();
process.env.COMMAND_POLICY = JSON.stringify({
  default: 'allow',
  rules: [{ name: 'no-net', deny: ['curl'] }],
});

async function countTasks(): Promise<number> {
  const [row] = await database.sql<[{ count: number }]>`select count(*) from errand.tasks`;
  return row.count;
}

describe('a command that the policy does not allow', () => {
  it.each([
    ['a shell command', { command: 'echo x | curl y' }],
    ['arguments', { argv: ['curl', 'y'] }],
    ['a shell command in arguments', { argv: ['sh', '-c', 'exec curl y'] }],
  ])('is answered with 403 and the rule, and not stored: %s', async (_what, body) => {
    const answer = await request('create-task', aPost(body));
    expectProblem(answer, 403, 'command_not_allowed');
    expect(answer.body).toMatchObject({
      detail: '"curl" is not allowed by the rule "no-net" of the command policy.',
      rule: 'no-net',
      executable: 'curl',
    });
    expect(await countTasks()).toBe(0);
  });

  it('takes the whole batch along, and is named in the answer', async () => {
    const tasks = [{ command: 'ls' }, { command: 'ls' }, { argv: ['curl'] }];
    const answer = await request('create-tasks', aPost({ tasks }));
    expectProblem(answer, 403, 'command_not_allowed');
    expect(answer.body.index).toBe(2);
    expect(await countTasks()).toBe(0);
  });

  it('is named with every other one of the batch', async () => {
    const tasks = [{ command: 'curl a' }, { command: 'ls' }, { command: 'if' }];
    const answer = await request('create-tasks', aPost({ tasks }));
    expectProblem(answer, 403, 'command_not_allowed');
    expect(answer.body).toMatchObject({
      detail:
        '2 of 3 commands are not allowed; "refused" tells which. The first of them: ' +
        '"curl" is not allowed by the rule "no-net" of the command policy.',
      index: 0,
      refused: [
        { index: 0, rule: 'no-net', executable: 'curl' },
        {
          index: 2,
          rule: 'unparseable',
          executable: null,
          detail: expect.stringContaining('cannot tell what this command runs'),
        },
      ],
    });
  });

  it('does not use up an idempotency key', async () => {
    const headers = { 'idempotency-key': 'k' };
    await request('create-task', aPost({ command: 'curl' }, headers));
    const answer = await request('create-task', aPost({ command: 'ls' }, headers));
    expect(answer.status).toBe(202);
  });
});
