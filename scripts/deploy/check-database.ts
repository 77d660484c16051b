import type { Aws } from './aws.ts';
import { findOwnDatabase, listAuroraVersions } from './own-database.ts';
import type { Deployment } from './preflight.ts';

/** Whether the database can be had, and what to do where not. */
export interface Verdict {
  readonly ok: boolean;
  readonly says: string;
}

const no = (says: string): Verdict => ({ ok: false, says });
const yes = (says: string): Verdict => ({ ok: true, says });

/** Looks whether the deployment will find its database, or be able to make it. */
export async function checkDatabase(aws: Aws, deployment: Deployment): Promise<Verdict> {
  const { database } = deployment.parameters;
  switch (database) {
    case 'aurora':
      return checkAurora(aws, deployment);
    case 'external': {
      const loss = await lossOfOwn(aws, deployment);
      return loss ?? checkSecret(aws, deployment);
    }
    default:
      return no(`--param database is "${database}"; it must be external or aurora`);
  }
}

async function checkAurora(aws: Aws, { parameters, named }: Deployment): Promise<Verdict> {
  if (named.has('databaseSecret')) {
    return no(
      'databaseSecret names a database, and database=aurora makes one of its own: leave one of them out',
    );
  }
  const versions = await listAuroraVersions(aws);
  const { auroraVersion: version = '' } = parameters;
  if (versions.includes(version)) return yes(`Aurora PostgreSQL ${version}, of the stack's own`);
  const major = `${version.split('.')[0]}.`;
  const offered = versions.filter((other) => other.startsWith(major)).join(', ') || 'none of those';
  return no(
    `Aurora PostgreSQL ${version} is not offered here; of ${major}x there is: ${offered}. Choose: --param auroraVersion=...`,
  );
}

/** Who leaves out `--param database=aurora` once would have the database deleted. */
async function lossOfOwn(aws: Aws, { stage, named }: Deployment): Promise<Verdict | undefined> {
  if (named.has('database')) return undefined;
  const own = await findOwnDatabase(aws, `errand-${stage}`).catch((error: Error) => error);
  if (own instanceof Error) return no(own.message);
  return (
    own &&
    no(
      `the stack has a database of its own, ${own.cluster}, and this would delete it. Keep it: --param database=aurora. ` +
        'Or give it up, for a snapshot: --param database=external',
    )
  );
}

/** It must be there; its value is not read. */
async function checkSecret(aws: Aws, { parameters, region }: Deployment): Promise<Verdict> {
  const { databaseSecret: secret = '' } = parameters;
  const inSecretsManager = secret.startsWith('arn:');
  const name = secret.replace(/^ssm:/, '');
  const answer = inSecretsManager
    ? await aws('secretsmanager', {
        target: 'secretsmanager.DescribeSecret',
        body: JSON.stringify({ SecretId: secret }),
      })
    : await aws('ssm', {
        target: 'AmazonSSM.DescribeParameters',
        body: JSON.stringify({ ParameterFilters: [{ Key: 'Name', Values: [name] }] }),
      });
  const found = inSecretsManager ? [] : (JSON.parse(answer.text || '{}').Parameters ?? []);
  if (inSecretsManager ? answer.status === 200 : found[0]?.Type === 'SecureString') {
    return yes(secret);
  }
  const why = found[0] ? `${name} is not a SecureString` : `there is no ${name}`;
  const how = `aws ssm put-parameter --region ${region} --type SecureString --name ${name} --value 'postgres://...'`;
  return no(`${why}. Make it: ${how}. Or have one made: --param database=aurora`);
}
