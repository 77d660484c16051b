import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readParameters } from '../../scripts/deploy/parameters.ts';
import { type Check, preflight } from '../../scripts/deploy/preflight.ts';

/** What the account has; a test changes the one thing that matters. */
const account = {
  identity: 200,
  parameters: [{ Name: '/errand/prod/database-url', Type: 'SecureString' }],
  concurrency: 1000,
  /** Of the stack's own, when it has one. */
  cluster: undefined as string | undefined,
  /** What CloudFormation refuses to tell. */
  denied: false,
};

const VERSIONS = ['16.8', '17.4', '17.7'];

function answerOf(request: IncomingMessage, body: string): string | undefined {
  const target = request.headers['x-amz-target'];
  switch (new URLSearchParams(body).get('Action')) {
    case 'DescribeStackResource':
      if (account.denied) return '<Message>not authorized</Message>';
      return account.cluster && `<PhysicalResourceId>${account.cluster}</PhysicalResourceId>`;
    case 'DescribeDBClusters':
      return '<DBCluster><DeletionProtection>true</DeletionProtection></DBCluster>';
    case 'DescribeDBEngineVersions':
      return VERSIONS.map((version) => `<EngineVersion>${version}</EngineVersion>`).join('');
  }
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

const server = createServer(async (request, response) => {
  const body = await text(request);
  const answer = account.identity === 200 ? answerOf(request, body) : undefined;
  if (answer === undefined) response.writeHead(400).end('<Message>It does not exist</Message>');
  else response.end(answer);
});
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(() => server.close());

const PROD = { stage: 'prod', region: 'eu-central-1', param: [] as string[] };

async function check({ stage, region, param } = PROD) {
  const deployment = { stage, region, ...(await readParameters(stage, param)) };
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
    const { failed } = await check({ ...PROD, stage: 'offline', region: 'Frankfurt' });
    expect(failed.map(({ name }) => name)).toEqual(['stage', 'region']);
  });

  it.each([
    ['database=postgres', '--param database is "postgres"; it must be external or aurora'],
    ['auroraVersion=17.1', 'of 17.x there is: 17.4, 17.7. Choose: --param auroraVersion='],
    ['auroraVersion=12.1', 'of 12.x there is: none of those'],
    ['databaseSecret=ssm:/mine', 'leave one of them out'],
  ])('refuses %s with a database of its own', async (parameter, says) => {
    const param = ['database=aurora', parameter];
    const [failed] = (await check({ ...PROD, param })).failed;
    expect(failed).toMatchObject({ name: 'database', says: expect.stringContaining(says) });
  });

  it('makes a database that Aurora offers', async () => {
    const { ok, checks } = await check({ ...PROD, param: ['database=aurora'] });
    expect(ok).toBe(true);
    expect(checks[3]?.says).toBe("Aurora PostgreSQL 17.7, of the stack's own");
  });

  it('deletes the database of the stack for nobody who does not say so', async () => {
    account.cluster = 'errand-prod';
    const [failed] = (await check()).failed;
    expect(failed?.says).toMatch(/a database of its own, errand-prod, .* would delete it/);
    expect((await check({ ...PROD, param: ['database=external'] })).ok).toBe(true);
    account.cluster = undefined;
  });

  it('says what AWS does not let it see', async () => {
    account.denied = true;
    const [failed] = (await check()).failed;
    expect(failed?.says).toMatch(/to DescribeStackResource of errand-prod: not authorized/);
    account.denied = false;
  });

  it('refuses a parameter without a value', async () => {
    await expect(check({ ...PROD, param: ['aurora'] })).rejects.toThrow(
      '--param is "aurora"; it must be as in --param maximumConcurrency=20.',
    );
  });
});
