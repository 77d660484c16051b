import { callAws, makeAwsClient } from '../aws-client.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** A secret store that does not answer holds up a request for five seconds, and no longer. */
const PATIENCE = { attempts: 2, attemptMs: 2500 };

/**
 * The settings with `DATABASE_URL` put in from where `DATABASE_SECRET` says that it is: `ssm:` and
 * the name of a SecureString, or the ARN of a secret in Secrets Manager, that holds the URL or the
 * user and password for `DATABASE_HOST`. Read by the functions themselves, so that no template,
 * console or log shows it. A URL that was set by hand is left as it is.
 * @throws Error that names the secret, when it cannot be read
 */
export async function withDatabaseUrl(env: Env): Promise<Env> {
  const source = sourceOf(env);
  if (source === undefined) return env;
  try {
    return { ...env, DATABASE_URL: verified(await readUrl(env, source)) };
  } catch (cause) {
    throw new Error(`DATABASE_SECRET: ${source} cannot be used.`, { cause });
  }
}

/**
 * The password for each connection to the database at `url`: for the first one that of the URL, then
 * the one that the secret has by then, because secrets are rotated while functions live. Where it
 * cannot be read, the last that was. Undefined for a URL that was set by hand.
 */
export function makePasswords(env: Env, url: string): (() => Promise<string>) | undefined {
  const source = sourceOf(env);
  if (source === undefined) return undefined;
  let known = new URL(url);
  let isFirst = true;
  return async () => {
    // postgres.js hears of no error here.
    if (!isFirst) known = await readUrl(env, source).catch(() => known);
    isFirst = false;
    return decodeURIComponent(known.password);
  };
}

function sourceOf(env: Env): string | undefined {
  return env.DATABASE_URL ? undefined : env.DATABASE_SECRET || undefined;
}

async function readUrl(env: Env, source: string): Promise<URL> {
  const secret = source.startsWith('arn:')
    ? await readSecret(env, source)
    : await readParameter(env, source.replace(/^ssm:/, ''));
  return urlOf(secret, env);
}

async function readParameter(env: Env, name: string): Promise<string> {
  const answer = await call(env, 'ssm', 'AmazonSSM.GetParameter', {
    Name: name,
    WithDecryption: true,
  });
  return (answer as { Parameter: { Value: string } }).Parameter.Value;
}

async function readSecret(env: Env, id: string): Promise<string> {
  const answer = await call(env, 'secretsmanager', 'secretsmanager.GetSecretValue', {
    SecretId: id,
  });
  return (answer as { SecretString: string }).SecretString;
}

/** Both speak AWS's JSON protocol, so their SDK clients can stay away. */
async function call(env: Env, service: string, target: string, body: object): Promise<unknown> {
  const region = env.AWS_REGION ?? 'us-east-1';
  const client = () => makeAwsClient(env, service, region);
  const endpoint = env.AWS_ENDPOINT_URL || `https://${service}.${region}.amazonaws.com`;
  const request = {
    url: endpoint,
    method: 'POST',
    headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': target },
    body: JSON.stringify(body),
  } as const;
  const answer = await callAws(client, request, PATIENCE);
  if (answer.ok) return answer.json();
  throw new Error(`${target} answered ${answer.status}: ${(await answer.text()).slice(0, 300)}`);
}

/** A URL as it is; from a secret that RDS keeps, which rotates, its user and password. */
function urlOf(secret: string, env: Env): URL {
  if (!secret.startsWith('{')) return new URL(secret.trim());
  const { username, password, host, port, dbname } = JSON.parse(secret) as Record<string, string>;
  const url = new URL(`postgres://${host ?? env.DATABASE_HOST}:${port ?? 5432}`);
  url.username = encodeURIComponent(username ?? '');
  url.password = encodeURIComponent(password ?? '');
  url.pathname = dbname ?? env.DATABASE_NAME ?? 'errand';
  return url;
}

/** Over a network nobody talks to a database without TLS, or with one who only claims to be it. */
function verified(url: URL): string {
  url.searchParams.set('sslmode', 'verify-full');
  // Of libpq, as in Neon's URLs. postgres.js would hand it to the server, which refuses it.
  url.searchParams.delete('channel_binding');
  return url.href;
}
