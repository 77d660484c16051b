import { getAtt, ref, sub } from '../intrinsics.ts';

/** Of both subnets; nothing outside of this network can be reached from it, or reaches in. */
const NETWORK = '10.0.0.0/20';
const SUBNETS = ['10.0.0.0/22', '10.0.4.0/22'];

/**
 * The network of a database of the stack's own: two private subnets, without a way to the internet.
 * AWS's services are reached through endpoints, each for what the functions do and nothing else.
 *
 * An endpoint costs as much as a small machine, and once for each zone: where `everyZone` is false,
 * all have one, in the first zone, and with that zone the stack stands still.
 */
export function networkResources({
  stackName,
  everyZone,
}: {
  stackName: string;
  everyZone: boolean;
}): object {
  const endpoint = interfaceEndpoint(everyZone ? SUBNETS.length : 1);
  return {
    Network: {
      Type: 'AWS::EC2::VPC',
      Properties: {
        CidrBlock: NETWORK,
        // With both, the names of AWS's services lead to the endpoints.
        EnableDnsSupport: true,
        EnableDnsHostnames: true,
        Tags: [{ Key: 'Name', Value: stackName }],
      },
    },
    // No route but that within the network, and the one to S3 that its endpoint adds.
    Routes: { Type: 'AWS::EC2::RouteTable', Properties: { VpcId: ref('Network') } },
    ...Object.fromEntries(SUBNETS.flatMap(subnet)),
    ...securityGroups(),
    SecretsEndpoint: endpoint(
      'secretsmanager',
      ['secretsmanager:GetSecretValue'],
      [getAtt('Database', 'MasterUserSecret.SecretArn')],
    ),
    QueuesEndpoint: endpoint(
      'sqs',
      [
        'sqs:SendMessage',
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
        'sqs:GetQueueAttributes',
      ],
      [getAtt('TaskQueue', 'Arn'), getAtt('DeadLetterQueue', 'Arn')],
    ),
    RunnerEndpoint: endpoint(
      'lambda',
      ['lambda:InvokeFunction'],
      [getAtt('RunDashcommandLambdaFunction', 'Arn')],
    ),
    BucketsEndpoint: {
      Type: 'AWS::EC2::VPCEndpoint',
      Properties: {
        VpcEndpointType: 'Gateway', // costs nothing
        VpcId: ref('Network'),
        ServiceName: sub(`com.amazonaws.\${AWS::Region}.s3`),
        RouteTableIds: [ref('Routes')],
        PolicyDocument: allowing(
          ['s3:PutObject', 's3:GetObject'],
          [sub(`\${CancellationBucket.Arn}/*`), answersToCloudFormation()],
        ),
      },
    },
  };
}

/** The subnets, as functions and the database name them. */
export const subnetIds = SUBNETS.map((_cidr, index) => ref(`Subnet${index + 1}`));

function subnet(CidrBlock: string, index: number): [string, object][] {
  const id = `Subnet${index + 1}`;
  return [
    [
      id,
      {
        Type: 'AWS::EC2::Subnet',
        Properties: {
          VpcId: ref('Network'),
          CidrBlock,
          AvailabilityZone: { 'Fn::Select': [index, { 'Fn::GetAZs': '' }] },
          MapPublicIpOnLaunch: false,
        },
      },
    ],
    [
      `${id}Routes`,
      {
        Type: 'AWS::EC2::SubnetRouteTableAssociation',
        Properties: { SubnetId: ref(id), RouteTableId: ref('Routes') },
      },
    ],
  ];
}

/** Who may open a connection to whom. */
function securityGroups(): object {
  return {
    // Of every function that asks the database.
    FunctionsSecurityGroup: securityGroup('functions', [
      to('DatabaseSecurityGroup', 5432),
      to('EndpointsSecurityGroup', 443),
    ]),
    // Besides, of those that write to S3, whose addresses have no name in a template. The routes of
    // the network lead to S3 alone, so this is no way to the internet.
    BucketsSecurityGroup: securityGroup('functions that write to S3', [
      { IpProtocol: 'tcp', FromPort: 443, ToPort: 443, CidrIp: '0.0.0.0/0' },
    ]),
    DatabaseSecurityGroup: securityGroup('the database', [nowhere]),
    EndpointsSecurityGroup: securityGroup("AWS's services", [nowhere]),
    // On their own, because two groups that name each other are a circle.
    DatabaseFromFunctions: fromFunctions('DatabaseSecurityGroup', 5432),
    EndpointsFromFunctions: fromFunctions('EndpointsSecurityGroup', 443),
  };
}

function securityGroup(of: string, egress: readonly object[]): object {
  return {
    Type: 'AWS::EC2::SecurityGroup',
    Properties: {
      GroupDescription: sub(`\${AWS::StackName}: ${of}`),
      VpcId: ref('Network'),
      SecurityGroupEgress: egress,
    },
  };
}

/** A group without a rule gets one that allows all. */
const nowhere = { IpProtocol: 'tcp', FromPort: 1, ToPort: 1, CidrIp: '127.0.0.1/32' };

function to(group: string, port: number): object {
  const DestinationSecurityGroupId = getAtt(group, 'GroupId');
  return { IpProtocol: 'tcp', FromPort: port, ToPort: port, DestinationSecurityGroupId };
}

function fromFunctions(group: string, port: number): object {
  return {
    Type: 'AWS::EC2::SecurityGroupIngress',
    Properties: {
      GroupId: getAtt(group, 'GroupId'),
      IpProtocol: 'tcp',
      FromPort: port,
      ToPort: port,
      SourceSecurityGroupId: getAtt('FunctionsSecurityGroup', 'GroupId'),
    },
  };
}

function interfaceEndpoint(zones: number) {
  return (service: string, actions: readonly string[], resources: readonly object[]) => ({
    Type: 'AWS::EC2::VPCEndpoint',
    Properties: {
      VpcEndpointType: 'Interface',
      VpcId: ref('Network'),
      ServiceName: sub(`com.amazonaws.\${AWS::Region}.${service}`),
      PrivateDnsEnabled: true,
      SubnetIds: subnetIds.slice(0, zones),
      SecurityGroupIds: [getAtt('EndpointsSecurityGroup', 'GroupId')],
      PolicyDocument: allowing(actions, resources),
    },
  });
}

/** Who may do it stands in the functions' roles; an endpoint says what anybody can do through it. */
function allowing(Action: readonly string[], Resource: readonly object[]): object {
  return {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action, Resource }],
  };
}

/**
 * Where the migration tells CloudFormation how it went. In the bucket's name the region has no dashes.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-vpce-bucketnames.html
 */
function answersToCloudFormation(): object {
  const region = { 'Fn::Join': ['', { 'Fn::Split': ['-', ref('AWS::Region')] }] };
  return {
    'Fn::Sub': [
      `arn:\${AWS::Partition}:s3:::cloudformation-custom-resource-response-\${region}/*`,
      { region },
    ],
  };
}
