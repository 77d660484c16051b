import { beforeAll, describe, expect, it } from 'vitest';
import { RIGHTS } from '../../../resources/roles.ts';
import { brokenRules } from './guard.ts';
import { schemaComplaints } from './schema.ts';
import {
  auroraTemplate,
  broken,
  ofType,
  packagedTemplate,
  properties,
  type Template,
} from './template.ts';

let template: Template;
beforeAll(() => {
  template = auroraTemplate();
});

/** `create-task`: the function's properties. */
function functionProperties(key: string) {
  const id = key.replaceAll('-', 'Dash').replace(/^./, (letter) => letter.toUpperCase());
  return properties(template, `${id}LambdaFunction`);
}

const groupsOf = (key: string): string[] =>
  functionProperties(key).VpcConfig?.SecurityGroupIds.map(
    (group: { 'Fn::GetAtt': string[] }) => group['Fn::GetAtt'][0],
  ) ?? [];

const asking = Object.keys(RIGHTS).filter((key) => RIGHTS[key]?.includes('read database secret'));
const others = Object.keys(RIGHTS).filter((key) => !asking.includes(key));

describe('the template with a database of its own', () => {
  it("is accepted by AWS's schemas and our rules", async () => {
    expect(schemaComplaints(template)).toEqual([]);
    expect(await brokenRules(template)).toEqual([]);
  });

  it.each<[string, (copy: Template) => void]>([
    [
      'databases_are_encrypted_and_kept',
      (copy) => delete properties(copy, 'Database').StorageEncrypted,
    ],
    ['databases_are_encrypted_and_kept', (copy) => delete copy.Resources.Database?.DeletionPolicy],
    [
      'databases_have_a_password_that_nobody_knows',
      (copy) => Object.assign(properties(copy, 'Database'), { MasterUserPassword: 'errand' }),
    ],
    [
      'databases_refuse_plain_connections',
      (copy) => {
        properties(copy, 'DatabaseSettings').Parameters['rds.force_ssl'] = '0';
      },
    ],
    [
      'databases_are_private',
      (copy) => {
        properties(copy, 'DatabaseInstance1').PubliclyAccessible = true;
      },
    ],
    [
      'networks_have_no_way_out',
      (copy) =>
        Object.assign(copy.Resources, {
          Gateway: { Type: 'AWS::EC2::InternetGateway', Properties: {} },
        }),
    ],
    [
      'ports_are_open_to_a_group_alone',
      (copy) => Object.assign(properties(copy, 'DatabaseFromFunctions'), { CidrIp: '0.0.0.0/0' }),
    ],
    [
      'ports_are_open_to_a_group_alone',
      (copy) => delete properties(copy, 'DatabaseSecurityGroup').SecurityGroupEgress,
    ],
    [
      'endpoints_say_what_they_are_for',
      (copy) => {
        properties(copy, 'SecretsEndpoint').PolicyDocument.Statement[0].Action = ['*'];
      },
    ],
    [
      'endpoints_say_what_they_are_for',
      (copy) => {
        properties(copy, 'SecretsEndpoint').PolicyDocument.Statement[0].Resource = ['*'];
      },
    ],
    [
      'the_runner_has_no_rights',
      (copy) => {
        const { VpcConfig } = properties(copy, 'ExecuteDashtaskLambdaFunction');
        Object.assign(properties(copy, 'RunDashcommandLambdaFunction'), { VpcConfig });
      },
    ],
  ])('%s fails where it is broken', async (rule, mistake) => {
    expect(await brokenRules(broken(template, mistake))).toContain(rule);
  });

  it.each(asking)('%s is in the network, and finds the database', (key) => {
    const { VpcConfig, Environment } = functionProperties(key);
    expect(VpcConfig.SubnetIds).toEqual([{ Ref: 'Subnet1' }, { Ref: 'Subnet2' }]);
    expect(groupsOf(key)).toContain('FunctionsSecurityGroup');
    expect(Environment.Variables).toMatchObject({
      DATABASE_SECRET: { 'Fn::GetAtt': ['Database', 'MasterUserSecret.SecretArn'] },
      DATABASE_HOST: { 'Fn::GetAtt': ['Database', 'Endpoint.Address'] },
      DATABASE_URL: '',
      NODE_EXTRA_CA_CERTS: '/var/runtime/ca-cert.pem',
    });
  });

  it.each(others)('%s asks no database, and stays outside', (key) => {
    expect(functionProperties(key).VpcConfig).toBeUndefined();
  });

  it('lets those reach S3 that write to it', () => {
    expect(asking.filter((key) => groupsOf(key).includes('BucketsSecurityGroup')).sort()).toEqual([
      'execute-task',
      'migrate-database',
    ]);
  });

  it('opens a way to each service that a right of a function in the network needs', () => {
    const services = ofType(template, 'AWS::EC2::VPCEndpoint').flatMap(([, { Properties }]) =>
      JSON.stringify(Properties?.ServiceName)
        .match(/\.(\w+)"/)
        ?.slice(1),
    );
    expect(services.sort()).toEqual(['lambda', 's3', 'secretsmanager', 'sqs']);
  });

  it('allows through the endpoints whatever the roles of those functions allow', () => {
    const through = ofType(template, 'AWS::EC2::VPCEndpoint').flatMap(
      ([, { Properties }]) => Properties?.PolicyDocument.Statement[0].Action as string[],
    );
    for (const key of asking) {
      const role = functionProperties(key).Role['Fn::GetAtt'][0] as string;
      const statements = properties(template, role).Policies[0].PolicyDocument.Statement as {
        Effect: string;
        Action: string[];
      }[];
      const actions = statements.flatMap(({ Effect, Action }) =>
        Effect === 'Allow' ? Action : [],
      );
      // Lambda itself writes the logs, and from outside.
      const needed = actions.filter((action) => !action.startsWith('logs:'));
      expect(through).toEqual(expect.arrayContaining(needed));
    }
  });

  it('lets the code of a function do nothing to the network', () => {
    const { Policies } = properties(template, 'CreateTaskRole');
    expect(Policies[0].PolicyDocument.Statement).toContainEqual(
      expect.objectContaining({
        Effect: 'Deny',
        Action: expect.arrayContaining(['ec2:CreateNetworkInterface']),
      }),
    );
  });

  it('sleeps without work, protects what it holds, and rotates its password', () => {
    expect(properties(template, 'Database')).toMatchObject({
      ServerlessV2ScalingConfiguration: {
        MinCapacity: 0,
        MaxCapacity: 16,
        SecondsUntilAutoPause: 300,
      },
      ManageMasterUserPassword: true,
      DeletionProtection: true,
      BackupRetentionPeriod: 35,
    });
    expect(ofType(template, 'AWS::RDS::DBInstance')).toHaveLength(2);
  });

  it('migrates once the database and the way to it are there, and each new database', () => {
    const { DatabaseMigration: migration } = template.Resources;
    expect(migration?.DependsOn).toEqual(
      expect.arrayContaining(['DatabaseInstance1', 'SecretsEndpoint', 'BucketsEndpoint']),
    );
    expect(migration?.Properties?.Database).toEqual({ Ref: 'Database' });
  });
});

describe('the template with a database of somebody else', () => {
  it('has no network, no database and no function in one', () => {
    const external = packagedTemplate();
    const types = Object.values(external.Resources).map(({ Type }) => Type);
    expect(types.filter((type) => /^AWS::(EC2|RDS)::/.test(type))).toEqual([]);
    expect(JSON.stringify(external)).not.toMatch(/VpcConfig|DATABASE_HOST|NODE_EXTRA_CA_CERTS/);
  });
});
