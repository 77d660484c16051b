import type { Aws } from './aws.ts';

/** The database that a stack has made for itself: `--param database=aurora`. */
export interface OwnDatabase {
  readonly cluster: string;
  readonly deletionProtection: boolean;
}

/**
 * Undefined when there is no such stack yet, or its database is somebody else's.
 * @throws Error when AWS does not tell
 */
export async function findOwnDatabase(
  aws: Aws,
  stackName: string,
): Promise<OwnDatabase | undefined> {
  const resource = await aws('cloudformation', {
    body: `Action=DescribeStackResource&Version=2010-05-15&StackName=${stackName}&LogicalResourceId=Database`,
  });
  if (resource.status === 400 && resource.text.includes('does not exist')) return undefined;
  const cluster = textOf(resource.text, 'PhysicalResourceId');
  if (cluster === undefined) {
    throw new Error(
      `CloudFormation answered ${resource.status} to DescribeStackResource of ${stackName}: ${textOf(resource.text, 'Message') ?? ''}`,
    );
  }
  const { text } = await aws('rds', {
    body: `Action=DescribeDBClusters&Version=2014-10-31&DBClusterIdentifier=${cluster}`,
  });
  return { cluster, deletionProtection: textOf(text, 'DeletionProtection') === 'true' };
}

/** The versions of Aurora PostgreSQL that a region offers, as `17.7`. */
export async function listAuroraVersions(aws: Aws): Promise<string[]> {
  const { text } = await aws('rds', {
    body: 'Action=DescribeDBEngineVersions&Version=2014-10-31&Engine=aurora-postgresql',
  });
  return [...text.matchAll(/<EngineVersion>([^<]+)</g)].map(([, version = '']) => version);
}

function textOf(xml: string, name: string): string | undefined {
  return new RegExp(`<${name}>([^<]*)<`).exec(xml)?.[1];
}
