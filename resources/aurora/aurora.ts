import { getAtt, ref, sub } from '../intrinsics.ts';
import { networkResources, subnetIds } from './network.ts';

export interface AuroraOptions {
  /** `errand-prod`. */
  readonly stackName: string;
  /** As AWS names it, `17.7`. From 17.4 on, and 16.3, a cluster can sleep. */
  readonly version: string;
  /** Capacity units, of 2 GiB each, up to which it grows. */
  readonly maxCapacity: number;
  /** One, or two in zones of their own, of which the second takes over when the first is gone. */
  readonly instances: number;
  readonly backupDays: number;
  readonly deletionProtection: boolean;
  readonly logRetentionDays: number;
}

/** Of the database and of the user that owns it. */
const NAME = 'errand';
/** The least that Aurora takes. */
const SLEEPS_AFTER_SECONDS = 300;

/**
 * Aurora PostgreSQL that grows with its work and sleeps without any: `--param database=aurora`. A
 * password that nobody has seen is in Secrets Manager, and RDS gives it a new one each week.
 */
export function auroraResources(options: AuroraOptions): object {
  const { stackName, version, maxCapacity, instances, deletionProtection } = options;
  return {
    ...networkResources({ stackName, everyZone: instances > 1 }),
    DatabaseSubnets: {
      Type: 'AWS::RDS::DBSubnetGroup',
      Properties: {
        DBSubnetGroupDescription: sub(`\${AWS::StackName}: the database`),
        SubnetIds: subnetIds,
      },
    },
    DatabaseSettings: {
      Type: 'AWS::RDS::DBClusterParameterGroup',
      Properties: {
        Description: sub(`\${AWS::StackName}: the database`),
        Family: `aurora-postgresql${Number.parseInt(version, 10)}`,
        Parameters: {
          'rds.force_ssl': '1',
          // A frozen function cannot close its connection, with which the database would not sleep.
          idle_session_timeout: String(SLEEPS_AFTER_SECONDS * 1000),
        },
      },
    },
    // RDS would make it, and keep logs for ever.
    DatabaseLogGroup: {
      Type: 'AWS::Logs::LogGroup',
      Properties: {
        LogGroupName: `/aws/rds/cluster/${stackName}/postgresql`,
        RetentionInDays: options.logRetentionDays,
      },
    },
    Database: {
      Type: 'AWS::RDS::DBCluster',
      DependsOn: ['DatabaseLogGroup'],
      DeletionPolicy: 'Snapshot',
      UpdateReplacePolicy: 'Snapshot',
      Properties: {
        DBClusterIdentifier: stackName,
        Engine: 'aurora-postgresql',
        EngineVersion: version,
        DatabaseName: NAME,
        MasterUsername: NAME,
        ManageMasterUserPassword: true,
        DBSubnetGroupName: ref('DatabaseSubnets'),
        VpcSecurityGroupIds: [getAtt('DatabaseSecurityGroup', 'GroupId')],
        DBClusterParameterGroupName: ref('DatabaseSettings'),
        ServerlessV2ScalingConfiguration: {
          MinCapacity: 0,
          MaxCapacity: maxCapacity,
          SecondsUntilAutoPause: SLEEPS_AFTER_SECONDS,
        },
        StorageEncrypted: true,
        BackupRetentionPeriod: options.backupDays,
        CopyTagsToSnapshot: true,
        DeletionProtection: deletionProtection,
        EnableCloudwatchLogsExports: ['postgresql'],
      },
    },
    ...Object.fromEntries(Array.from({ length: instances }, instance)),
  };
}

function instance(_: unknown, index: number): [string, object] {
  return [
    `DatabaseInstance${index + 1}`,
    {
      Type: 'AWS::RDS::DBInstance',
      Properties: {
        DBClusterIdentifier: ref('Database'),
        DBInstanceClass: 'db.serverless',
        Engine: 'aurora-postgresql',
        DBSubnetGroupName: ref('DatabaseSubnets'),
        PubliclyAccessible: false,
        // Both grow together, so that the second can take over whatever the first was doing.
        PromotionTier: index,
      },
    },
  ];
}

/** What a function that asks the database has to know. */
export const auroraEnvironment = {
  DATABASE_SECRET: getAtt('Database', 'MasterUserSecret.SecretArn'),
  DATABASE_HOST: getAtt('Database', 'Endpoint.Address'),
  DATABASE_NAME: NAME,
  // It takes 15 s to wake up, and longer after a day. A request ends before that with a 503.
  DATABASE_CONNECT_SECONDS: '45',
  // RDS vouches for its servers itself. Lambda has its certificates, and Node asks for them by this.
  NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
};

/** Where such a function lives. */
export function auroraVpc({ writesToS3 }: { writesToS3: boolean }) {
  const groups = ['FunctionsSecurityGroup', ...(writesToS3 ? ['BucketsSecurityGroup'] : [])];
  return { subnetIds, securityGroupIds: groups.map((group) => getAtt(group, 'GroupId')) };
}

/** What must be there before the first function can ask the database, which is the migration. */
export const BEFORE_MIGRATION = [
  'DatabaseInstance1',
  'Subnet1Routes',
  'Subnet2Routes',
  'DatabaseFromFunctions',
  'EndpointsFromFunctions',
  'SecretsEndpoint',
  'BucketsEndpoint',
];
