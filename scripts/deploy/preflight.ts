import { type Aws, type Credentials, findCredentials, makeAws } from './aws.ts';
import { checkDatabase } from './check-database.ts';

/** One thing that a deployment needs. `ok` false stops it. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly says: string;
}

export interface Deployment {
  readonly stage: string;
  readonly region: string;
  /** All that `serverless.yml` has, as it counts for this stage. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Those that somebody chose, on the command line or for this stage. */
  readonly named: ReadonlySet<string>;
}

/** A worker and its runner for each command, and room for the API and the schedules. */
const OTHERS = 20;

type Env = Readonly<Record<string, string | undefined>>;

/** Looks at all that a deployment would stumble over, one after the other; tells each as it is known. */
export async function preflight(
  deployment: Deployment,
  env: Env,
  report: (check: Check) => void,
): Promise<boolean> {
  const checks: Check[] = [];
  const tell = (name: string, ok: boolean, says: string) => {
    checks.push({ name, ok, says });
    report({ name, ok, says });
    return ok;
  };
  const { stage, region } = deployment;
  tell('stage', /^[a-z][a-z0-9-]{0,19}$/.test(stage) && stage !== 'offline', stage);
  tell('region', /^[a-z]{2}(-[a-z]+)+-\d$/.test(region), region);
  const credentials = await findCredentials(env).catch((error: Error) => error);
  if (credentials instanceof Error) {
    tell('credentials', false, credentials.message);
    return false;
  }
  await checkAccount(deployment, credentials, env, tell);
  return checks.every(({ ok }) => ok);
}

async function checkAccount(
  deployment: Deployment,
  credentials: Credentials,
  env: Env,
  tell: (name: string, ok: boolean, says: string) => boolean,
): Promise<void> {
  const aws = makeAws(credentials, deployment.region, env.AWS_ENDPOINT_URL || undefined);
  const identity = await aws('sts', { body: 'Action=GetCallerIdentity&Version=2011-06-15' });
  const arn = /<Arn>([^<]+)</.exec(identity.text)?.[1];
  if (!tell('credentials', arn !== undefined, arn ?? `STS answered ${identity.status}`)) return;
  const database = await checkDatabase(aws, deployment);
  tell('database', database.ok, database.says);
  await checkConcurrency(aws, deployment, tell);
}

async function checkConcurrency(
  aws: Aws,
  { parameters }: Deployment,
  tell: (name: string, ok: boolean, says: string) => boolean,
): Promise<void> {
  const { text } = await aws('lambda', { path: '/2016-08-19/account-settings', method: 'GET' });
  const has = Number(JSON.parse(text || '{}').AccountLimit?.UnreservedConcurrentExecutions);
  const { maximumConcurrency } = parameters;
  const needs = 2 * Number(maximumConcurrency) + OTHERS;
  const says = `the account has ${has}; ${maximumConcurrency} commands at once need ${needs}`;
  const remedy =
    '. Deploy with a lower --param maximumConcurrency, or have the quota "Concurrent executions" raised';
  tell('concurrency', has >= needs, has >= needs ? says : says + remedy);
}
