import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { AwsClient } from 'aws4fetch';

const run = promisify(execFile);

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/**
 * The credentials of this shell: from its environment, or as the AWS CLI finds them (profiles, SSO).
 * @throws Error that says how to get some
 */
export async function findCredentials(
  env: Readonly<Record<string, string | undefined>>,
): Promise<Credentials> {
  const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret, AWS_SESSION_TOKEN: token } = env;
  if (id && secret) {
    return { accessKeyId: id, secretAccessKey: secret, ...(token && { sessionToken: token }) };
  }
  try {
    const { stdout } = await run('aws', ['configure', 'export-credentials']);
    const { AccessKeyId, SecretAccessKey, SessionToken } = JSON.parse(stdout);
    return {
      accessKeyId: AccessKeyId,
      secretAccessKey: SecretAccessKey,
      sessionToken: SessionToken,
    };
  } catch {
    throw new Error(
      'no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install and configure the AWS CLI',
    );
  }
}

/** Calls AWS with those credentials; `AWS_ENDPOINT_URL` leads elsewhere, as it does for the SDK. */
export function makeAws(credentials: Credentials, region: string, endpoint: string | undefined) {
  return async (
    service: string,
    {
      target,
      path = '/',
      body,
      method = 'POST',
    }: { target?: string; path?: string; body?: string; method?: string },
  ): Promise<Answer> => {
    const client = new AwsClient({ ...credentials, service, region, retries: 2 });
    const url = new URL(path, endpoint ?? `https://${service}.${region}.amazonaws.com`);
    const type = target ? 'application/x-amz-json-1.1' : 'application/x-www-form-urlencoded';
    const answer = await client.fetch(url.href, {
      method,
      headers: { 'content-type': type, ...(target && { 'x-amz-target': target }) },
      ...(body !== undefined && { body }),
    });
    return { status: answer.status, text: await answer.text() };
  };
}

export type Aws = ReturnType<typeof makeAws>;
