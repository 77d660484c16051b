import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parseApiKey } from '../../lib/access/api-key.ts';
import { showKey } from '../../lib/access/show-key.ts';
import { useDatabase } from '../support/database.ts';
import {
  type CloudFormationStub,
  type OtherCall,
  serveCloudFormation,
} from './cloudformation-stub.ts';
import { type Environment, startEnvironment, unpack } from './environment.ts';

const PROJECT = join(import.meta.dirname, '../..');
const STACK = 'errand-trial';

const database = useDatabase();
let cloudFormation: CloudFormationStub;
let keys: Environment;
const cluster = { protected: true };

/** What a deployment asks of the account, and the function that makes keys, as it is deployed. */
async function answerOther({ action, path, body }: OtherCall): Promise<string | undefined> {
  if (path === '/2016-08-19/account-settings') {
    return JSON.stringify({ AccountLimit: { UnreservedConcurrentExecutions: 1000 } });
  }
  if (path === `/2015-03-31/functions/${STACK}-manage-keys/invocations`) {
    return (await keys.invoke(JSON.parse(body))).body.toString();
  }
  switch (action) {
    case 'GetCallerIdentity':
      return '<Arn>arn:aws:iam::000000000000:user/ops</Arn><Account>000000000000</Account>';
    case 'DescribeDBEngineVersions':
      return '<EngineVersion>17.7</EngineVersion>';
    case 'DescribeDBClusters':
      return `<DeletionProtection>${cluster.protected}</DeletionProtection>`;
    default:
      return undefined;
  }
}

beforeAll(async () => {
  cloudFormation = await serveCloudFormation(inject('sqsEndpoint'), answerOther);
  keys = await startEnvironment({
    task: await unpack('manage-keys'),
    handler: 'functions/manage-keys.handler',
    variables: {
      DATABASE_URL: database.url,
      TASK_QUEUE_URL: 'http://127.0.0.1:1/tasks',
      DEAD_LETTER_QUEUE_URL: 'http://127.0.0.1:1/dead-letters',
    },
  });
});
afterAll(async () => {
  await keys?.close();
  await cloudFormation?.close();
});

interface Ended {
  readonly exitCode: number;
  readonly output: string;
}

/** A command as a user types it, against servers of ours. */
function run(program: string, args: string[], variables = {}): Promise<Ended> {
  const env = {
    ...process.env,
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL: cloudFormation.url,
    AWS_ENDPOINT_URL_S3: inject('sqsEndpoint'),
    AWS_ENDPOINT_URL_STS: inject('sqsEndpoint'),
    TMPDIR: inject('packaged'),
    CI: '',
    ...variables,
  };
  const command = [join(PROJECT, program), ...args, '--stage', 'trial'];
  return new Promise((resolve) => {
    execFile(process.execPath, command, { cwd: PROJECT, env }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code) : 0, output: stdout + stderr }),
    );
  });
}

const deploy = (args: string[] = [], variables = {}) => run('scripts/deploy.ts', args, variables);
const template = () => cloudFormation.stacks.get(STACK)?.template.Resources ?? {};
const concurrency = () =>
  template().ExecuteDashtaskEventSourceMappingSQSTaskQueue?.Properties?.ScalingConfig
    .MaximumConcurrency;
const keyIn = (text: string) => /errand_[0-9a-f]{32}_[\w-]{43}/.exec(text)?.[0];

async function uploaded(): Promise<string[]> {
  const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
  const client = new AwsClient({ ...credentials, service: 's3', region: 'us-east-1' });
  const bucket = `${STACK}-serverlessdeploymentbucket`;
  const list = await client.fetch(`${inject('sqsEndpoint')}/${bucket}?list-type=2`);
  return [...(await list.text()).matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = '']) => key);
}

const AURORA = ['--param', 'database=aurora'];

describe('npm run deploy, against a CloudFormation that makes nothing', {
  timeout: 120_000,
}, () => {
  it('creates the stack and uploads the packages, but no key where a log would keep it', async () => {
    const args = [...AURORA, '--param', 'maximumConcurrency=77'];
    const { exitCode, output } = await deploy(args, { CI: 'true' });
    expect(output).toMatch(/^ok {4}database {5}Aurora PostgreSQL 17\.7/m);
    expect(output).toContain('Service deployed to stack errand-trial');
    expect(cloudFormation.stacks.get(STACK)?.status).toMatch(/COMPLETE$/);
    expect(Object.keys(template())).toEqual(
      expect.arrayContaining(['DatabaseMigration', 'Database']),
    );
    expect(concurrency()).toBe(77);
    const names = (await uploaded()).map((key) => key.split('/').at(-1));
    expect(names).toEqual(expect.arrayContaining(['create-task.zip', 'run-command.zip']));

    expect(output).toContain('npm run keys -- create --stage trial --region us-east-1');
    expect([exitCode, keyIn(output)]).toEqual([0, undefined]);
    expect(await database.sql`select from errand.api_keys`).toHaveLength(0);
  });

  it('updates what has changed, and shows the first key once', async () => {
    const { exitCode, output } = await deploy(AURORA);
    expect([exitCode, concurrency()]).toEqual([0, 50]);
    const shown = keyIn(output) ?? '';
    const key = parseApiKey(shown);
    expect(key && (await showKey(database.sql, key))).toMatchObject({
      kind: 'good',
      principal: { tenant: 'default', scopes: ['read', 'write', 'admin'] },
    });
    expect(keys.log()).not.toContain(shown.split('_')[2]);

    const { body } = await keys.invoke({ command: { kind: 'first' }, by: 'test' });
    expect(JSON.parse(body.toString())).toEqual({ kind: 'notFirst' });
  });

  it('does not forget the database of the stack by accident', async () => {
    const { exitCode, output } = await deploy();
    expect(output).toMatch(/FAIL {2}database .* this would delete it/);
    expect(exitCode).toBe(1);
    expect(Object.keys(template())).toContain('Database');
  });
});

describe('npm run keys -- --stage', () => {
  const manage = (...args: string[]) => run('scripts/keys.ts', args);

  it('makes, lists, rotates and revokes the keys of a deployment', async () => {
    const created = await manage('create', '--name', 'ci', '--expires', '90d', '--json');
    const { id, expiresAt } = JSON.parse(created.output);
    expect(new Date(expiresAt).getTime()).toBeGreaterThan(Date.now());
    expect((await manage('list')).output).toMatch(new RegExp(`^${id} .* ci `, 'm'));
    expect((await manage('rotate', id)).output).toContain('Gave "ci"');
    expect((await manage('revoke', id)).output).toContain('Revoked "ci"');
    const again = await manage('revoke', id);
    expect([again.exitCode, again.output]).toEqual([
      1,
      expect.stringMatching(/The key "ci" .* was revoked at/),
    ]);
    const entries = await database.sql<{ action: string; by: string }[]>`
      select action, request_id as by from errand.audit_log where subject = ${id} order by id`;
    expect(entries.map(({ action }) => action)).toEqual(['key.create', 'key.rotate', 'key.revoke']);
    expect(entries[0]?.by).toMatch(/^cli:/);
  });

  it('names what is wrong with a request that no command line makes', async () => {
    const { error } = await keys.invoke({ command: { kind: 'revoke', id: 'x' }, by: 'test' });
    expect(error?.errorMessage).toMatch(/command\.id Invalid UUID/);
  });
});

describe('npm run remove', { timeout: 60_000 }, () => {
  const remove = () => run('scripts/remove.ts', ['--yes', 'trial']);

  it('says what it deletes, and leaves a protected database', async () => {
    const { exitCode, output } = await remove();
    expect(output).toContain('the database errand-trial-database with all tasks and keys');
    expect(output).toContain('modify-db-cluster --region us-east-1');
    expect(exitCode).toBe(1);
    expect(cloudFormation.stacks.get(STACK)?.status).toMatch(/UPDATE_COMPLETE/);
  });

  it('removes the stack and empties its bucket', async () => {
    cluster.protected = false;
    const { exitCode, output } = await remove();
    expect([exitCode, output]).toEqual([0, expect.stringContaining('a last snapshot stays')]);
    expect(cloudFormation.stacks.get(STACK)?.status).toBe('DELETE_COMPLETE');
    expect(await uploaded()).toEqual([]);
  });
});
