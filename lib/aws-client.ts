import { AwsClient } from 'aws4fetch';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Signs requests with the credentials of the environment, as Lambda puts them there: for services of
 * which a call or two is wanted, because their SDK clients are as large as all the rest of a function.
 * Made for each use, because credentials change. @throws Error that names what is not set
 */
export function makeAwsClient(env: Env, service: string, region: string, retries = 3): AwsClient {
  const { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey } = env;
  if (!accessKeyId || !secretAccessKey) {
    throw new Error('AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must be set; emulators take any');
  }
  const { AWS_SESSION_TOKEN: sessionToken } = env;
  return new AwsClient({
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    service,
    region,
    retries,
  });
}
