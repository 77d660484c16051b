import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AwsClient } from 'aws4fetch';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type CloudFormationStub, serveCloudFormation } from './cloudformation-stub.ts';

const run = promisify(execFile);
const PROJECT = join(import.meta.dirname, '../..');
const STACK = 'errand-trial';

let cloudFormation: CloudFormationStub;
beforeAll(async () => {
  cloudFormation = await serveCloudFormation(inject('sqsEndpoint'));
});
afterAll(() => cloudFormation?.close());

/** The command as a user types it, against servers of ours. */
async function serverless(...command: string[]): Promise<string> {
  const bin = join(PROJECT, 'node_modules/serverless/bin/serverless.js');
  const { stdout, stderr } = await run(process.execPath, [bin, ...command, '--stage', 'trial'], {
    cwd: PROJECT,
    env: {
      ...process.env,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: cloudFormation.url,
      AWS_ENDPOINT_URL_S3: inject('sqsEndpoint'),
      AWS_ENDPOINT_URL_STS: inject('sqsEndpoint'),
      TMPDIR: inject('packaged'),
    },
  }).catch((error: { stdout: string; stderr: string }) => {
    throw new Error(`serverless ${command.join(' ')} failed: ${error.stdout}${error.stderr}`);
  });
  return stdout + stderr;
}

async function uploaded(): Promise<string[]> {
  const keys = { accessKeyId: 'test', secretAccessKey: 'test', service: 's3', region: 'us-east-1' };
  const bucket = `${STACK}-serverlessdeploymentbucket`;
  const list = await new AwsClient(keys).fetch(`${inject('sqsEndpoint')}/${bucket}?list-type=2`);
  return [...(await list.text()).matchAll(/<Key>([^<]+)<\/Key>/g)].map(([, key = '']) => key);
}

describe('serverless deploy, against a CloudFormation that makes nothing', {
  timeout: 120_000,
}, () => {
  it('creates the stack and uploads the packages', async () => {
    expect(await serverless('deploy')).toContain('Service deployed to stack errand-trial');
    const stack = cloudFormation.stacks.get(STACK);
    expect(stack?.status).toMatch(/COMPLETE$/);
    expect(Object.keys(stack?.template.Resources ?? {})).toContain('DatabaseMigration');
    const names = (await uploaded()).map((key) => key.split('/').at(-1));
    expect(names).toEqual(expect.arrayContaining(['create-task.zip', 'run-command.zip']));
  });

  it('updates what has changed', async () => {
    await serverless('deploy', '--param', 'maximumConcurrency=77');
    const { Resources = {} } = cloudFormation.stacks.get(STACK)?.template ?? {};
    const mapping = Resources.ExecuteDashtaskEventSourceMappingSQSTaskQueue;
    expect(mapping?.Properties?.ScalingConfig).toEqual({ MaximumConcurrency: 77 });
  });

  it('removes the stack and empties its bucket', async () => {
    await serverless('remove');
    expect(cloudFormation.stacks.get(STACK)?.status).toBe('DELETE_COMPLETE');
    expect(await uploaded()).toEqual([]);
  });
});
