import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Check, preflight } from '../../scripts/deploy/preflight.ts';

/** What the account has; a test changes the one thing that matters. */
const account = {
  identity: 200,
  parameters: [{ Name: '/errand/prod/database-url', Type: 'SecureString' }],
  concurrency: 1000,
};

function answerOf(request: IncomingMessage): string {
  const target = request.headers['x-amz-target'];
  if (target === 'AmazonSSM.DescribeParameters') {
    return JSON.stringify({ Parameters: account.parameters });
  }
  if (request.url === '/2016-08-19/account-settings') {
    return JSON.stringify({
      AccountLimit: { UnreservedConcurrentExecutions: account.concurrency },
    });
  }
  return '<GetCallerIdentityResult><Arn>arn:aws:iam::123456789012:user/ops</Arn></GetCallerIdentityResult>';
}

const server = createServer((request, response) => {
  request.resume();
  if (account.identity !== 200) response.writeHead(account.identity).end('<Error/>');
  else response.end(answerOf(request));
});
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

const prod = {
  stage: 'prod',
  region: 'eu-central-1',
  databaseSecret: 'ssm:/errand/prod/database-url',
  maximumConcurrency: 50,
};

async function check(deployment = prod) {
  const checks: Check[] = [];
  const env = {
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_ENDPOINT_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  };
  const ok = await preflight(deployment, env, (told) => checks.push(told));
  return { ok, failed: checks.filter((told) => !told.ok), checks };
}

describe('the preflight of a deployment', () => {
  it('tells each check of an account that has everything', async () => {
    const { ok, checks } = await check();
    expect(ok).toBe(true);
    expect(checks.map(({ name }) => name)).toEqual([
      'stage',
      'region',
      'credentials',
      'database',
      'concurrency',
    ]);
    expect(checks[2]?.says).toBe('arn:aws:iam::123456789012:user/ops');
  });

  it('stops at credentials that AWS does not know', async () => {
    account.identity = 403;
    expect((await check()).failed).toMatchObject([{ name: 'credentials' }]);
    account.identity = 200;
  });

  it('says how to make a secret that is not there', async () => {
    const [parameter] = account.parameters.splice(0);
    const [failed] = (await check()).failed;
    expect(failed?.says).toContain(
      'aws ssm put-parameter --region eu-central-1 --type SecureString',
    );
    if (parameter) account.parameters.push(parameter);
  });

  it('refuses more commands at once than the account can run', async () => {
    account.concurrency = 10;
    const [failed] = (await check()).failed;
    expect(failed?.says).toMatch(/^the account has 10; 50 commands at once need 120/);
    account.concurrency = 1000;
  });

  it('refuses a stage or region that is none', async () => {
    const { failed } = await check({ ...prod, stage: 'offline', region: 'Frankfurt' });
    expect(failed.map(({ name }) => name)).toEqual(['stage', 'region']);
  });
});
