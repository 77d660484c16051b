import { getAtt, sub } from './intrinsics.ts';

/** What a function does to the rest of the stack; each is a statement of its role. */
type Right =
  | 'read database secret'
  | 'publish tasks'
  | 'receive tasks'
  | 'count tasks'
  | 'count dead letters'
  | 'look at dead letters'
  | 'take dead letters'
  | 'run commands'
  | 'cancel commands';

/**
 * One role for each function, with what it does and nothing else. `null`: a role without any right,
 * not even to write a log.
 */
export const RIGHTS: Readonly<Record<string, readonly Right[] | null>> = {
  'create-task': ['read database secret', 'publish tasks'],
  'create-tasks': ['read database secret', 'publish tasks'],
  'list-tasks': ['read database secret'],
  'get-task': ['read database secret'],
  'get-output': ['read database secret'],
  'get-stats': ['read database secret', 'count tasks', 'count dead letters'],
  'cancel-task': ['read database secret'],
  'retry-task': ['read database secret', 'publish tasks'],
  'list-dead-letters': ['read database secret', 'look at dead letters'],
  'redrive-dead-letters': ['read database secret', 'take dead letters', 'publish tasks'],
  'list-audit': ['read database secret'],
  'get-openapi': [],
  'get-docs': [],
  'health-live': [],
  'health-ready': ['read database secret', 'count tasks'],
  'unknown-route': [],
  'execute-task': [
    'read database secret',
    'receive tasks',
    'publish tasks',
    'run commands',
    'cancel commands',
  ],
  'relay-outbox': ['read database secret', 'publish tasks'],
  'rescue-tasks': ['read database secret', 'publish tasks', 'count tasks'],
  'tally-tasks': ['read database secret'],
  'delete-ended-tasks': ['read database secret'],
  'migrate-database': ['read database secret'],
  'manage-keys': ['read database secret'],
  'run-command': null,
};

interface Statement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: readonly string[];
  readonly Resource: unknown;
  readonly Condition?: object;
}

export interface RoleOptions {
  /** Deployed name of the function: `errand-prod-create-task`. */
  readonly functionName: string;
  /** `ssm:/name`, or the ARN of a secret in Secrets Manager. */
  readonly databaseSecret: string | undefined;
  readonly inVpc: boolean;
  readonly tags: Readonly<Record<string, string>>;
}

/** The role of a function. @throws for a function that the table above does not name */
export function roleOf(key: string, options: RoleOptions): object {
  const rights = RIGHTS[key];
  if (rights === undefined) {
    throw new Error(`What may the function ${key} do? Say it in resources/roles.ts.`);
  }
  const statements =
    rights === null
      ? []
      : [
          writeLogs(options.functionName),
          ...rights.map((right) => statementOf(right, options)),
          ...(options.inVpc ? [leaveNetworkAlone(options.functionName)] : []),
        ];
  return {
    Type: 'AWS::IAM::Role',
    Properties: {
      AssumeRolePolicyDocument: {
        Version: '2012-10-17',
        Statement: [
          {
            Effect: 'Allow',
            Principal: { Service: 'lambda.amazonaws.com' },
            Action: 'sts:AssumeRole',
          },
        ],
      },
      ...(statements.length > 0 && {
        Policies: [
          {
            PolicyName: key,
            PolicyDocument: { Version: '2012-10-17', Statement: statements },
          },
        ],
      }),
      // AWS's own: the calls that attach a function to a VPC know no ARN.
      ...(options.inVpc &&
        rights !== null && {
          ManagedPolicyArns: [
            sub(`arn:\${AWS::Partition}:iam::aws:policy/service-role/AWSLambdaENIManagementAccess`),
          ],
        }),
      Tags: Object.entries(options.tags).map(([Key, Value]) => ({ Key, Value })),
    },
  };
}

function writeLogs(functionName: string): Statement {
  const group = `log-group:/aws/lambda/${functionName}:*`;
  return allow(
    ['logs:CreateLogStream', 'logs:PutLogEvents'],
    sub(`arn:\${AWS::Partition}:logs:\${AWS::Region}:\${AWS::AccountId}:${group}`),
  );
}

/**
 * Lambda attaches a function to a network in the name of its role, which must be allowed to. This keeps
 * the function's own code from it. https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html
 */
function leaveNetworkAlone(functionName: string): Statement {
  const arn = `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${functionName}`;
  return {
    Effect: 'Deny',
    Action: [
      'ec2:CreateNetworkInterface',
      'ec2:DeleteNetworkInterface',
      'ec2:DescribeNetworkInterfaces',
      'ec2:AssignPrivateIpAddresses',
      'ec2:UnassignPrivateIpAddresses',
    ],
    Resource: '*',
    Condition: { ArnEquals: { 'lambda:SourceFunctionArn': [sub(arn)] } },
  };
}

function statementOf(right: Right, { databaseSecret }: RoleOptions): Statement {
  const taskQueue = getAtt('TaskQueue', 'Arn');
  const deadLetterQueue = getAtt('DeadLetterQueue', 'Arn');
  switch (right) {
    case 'read database secret':
      return readSecret(databaseSecret);
    case 'publish tasks':
      return allow(['sqs:SendMessage'], taskQueue);
    case 'receive tasks':
      return allow(
        ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes'],
        taskQueue,
      );
    case 'count tasks':
      return allow(['sqs:GetQueueAttributes'], taskQueue);
    case 'count dead letters':
      return allow(['sqs:GetQueueAttributes'], deadLetterQueue);
    case 'look at dead letters':
      return allow(['sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility'], deadLetterQueue);
    case 'take dead letters':
      return allow(
        ['sqs:ReceiveMessage', 'sqs:ChangeMessageVisibility', 'sqs:DeleteMessage'],
        deadLetterQueue,
      );
    case 'run commands':
      return allow(['lambda:InvokeFunction'], getAtt('RunDashcommandLambdaFunction', 'Arn'));
    case 'cancel commands':
      // The runner looks with a link that this role has signed, so the role must be allowed to look.
      return allow(['s3:PutObject', 's3:GetObject'], sub(`\${CancellationBucket.Arn}/*`));
  }
}

function readSecret(secret: string | undefined): Statement {
  if (secret === undefined) {
    return allow(
      ['secretsmanager:GetSecretValue'],
      getAtt('Database', 'MasterUserSecret.SecretArn'),
    );
  }
  if (secret.startsWith('arn:')) return allow(['secretsmanager:GetSecretValue'], secret);
  const name = secret.replace(/^ssm:\/?/, '');
  return allow(
    ['ssm:GetParameter'],
    sub(`arn:\${AWS::Partition}:ssm:\${AWS::Region}:\${AWS::AccountId}:parameter/${name}`),
  );
}

function allow(Action: readonly string[], Resource: unknown): Statement {
  return { Effect: 'Allow', Action, Resource };
}
