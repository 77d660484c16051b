import { readFile } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../lib/db/schema-version.ts';
import { brokenRules } from './guard.ts';
import { schemaComplaints } from './schema.ts';
import { broken, ofType, packagedTemplate, properties, type Template } from './template.ts';

let template: Template;
beforeAll(() => {
  template = packagedTemplate();
});

describe("AWS's resource schemas", () => {
  it('accept the template', () => {
    expect(schemaComplaints(template)).toEqual([]);
  });

  it.each<[string, (copy: Template) => void, string]>([
    [
      'an unknown property',
      (copy) => Object.assign(properties(copy, 'TaskQueue'), { VisibilityTimeOut: 1 }),
      'TaskQueue.VisibilityTimeOut is unknown',
    ],
    [
      'a missing property',
      (copy) => delete properties(copy, 'CreateDashtaskLambdaFunction').Role,
      'CreateDashtaskLambdaFunction.Role is missing',
    ],
    [
      'a wrong type',
      (copy) => Object.assign(properties(copy, 'TaskQueue'), { VisibilityTimeout: 'long' }),
      'TaskQueue.VisibilityTimeout must be a number',
    ],
    [
      'a property of a property',
      (copy) =>
        Object.assign(properties(copy, 'RunDashcommandLambdaFunction').TenancyConfig, { a: 1 }),
      'RunDashcommandLambdaFunction.TenancyConfig.a is unknown',
    ],
    [
      'a value that is not allowed',
      (copy) =>
        Object.assign(properties(copy, 'RunDashcommandLambdaFunction').TenancyConfig, {
          TenantIsolationMode: 'NONE',
        }),
      'RunDashcommandLambdaFunction.TenancyConfig.TenantIsolationMode is NONE, which is not allowed',
    ],
    [
      'a resource that nothing knows',
      (copy) => Object.assign(copy.Resources, { Odd: { Type: 'AWS::SQS::Kew' } }),
      'Odd: there is no resource type AWS::SQS::Kew',
    ],
    [
      'a reference to nothing',
      (copy) => delete copy.Resources.CancellationBucket,
      'Resources.ExecuteDashtaskLambdaFunction.Properties.Environment.Variables.CANCELLATION_BUCKET refers to CancellationBucket, which does not exist',
    ],
    [
      'an attribute that is not there',
      (copy) =>
        Object.assign(properties(copy, 'TaskQueue').RedrivePolicy, {
          deadLetterTargetArn: { 'Fn::GetAtt': ['DeadLetterQueue', 'Url'] },
        }),
      'Resources.TaskQueue.Properties.RedrivePolicy.deadLetterTargetArn: AWS::SQS::Queue has no attribute Url',
    ],
    [
      'resources that wait for each other',
      (copy) => Object.assign(copy.Resources.TaskQueue ?? {}, { DependsOn: 'TaskQueuePolicy' }),
      'TaskQueue waits for TaskQueuePolicy waits for TaskQueue: a circle',
    ],
  ])('refuse %s', (_what, mistake, complaint) => {
    expect(schemaComplaints(broken(template, mistake))).toContain(complaint);
  });
});

describe('our rules, judged by cfn-guard', () => {
  it('hold for the template', async () => {
    expect(await brokenRules(template)).toEqual([]);
  });

  it.each<[string, (copy: Template) => void]>([
    ['queues_are_encrypted', (copy) => delete properties(copy, 'TaskQueue').SqsManagedSseEnabled],
    [
      'queues_refuse_plain_http',
      (copy) => {
        properties(copy, 'TaskQueuePolicy').PolicyDocument.Statement[0].Effect = 'Allow';
      },
    ],
    [
      'messages_that_fail_are_kept',
      (copy) => {
        properties(copy, 'DeadLetterQueue').MessageRetentionPeriod = 345_600;
      },
    ],
    [
      'buckets_are_encrypted_and_private',
      (copy) => delete properties(copy, 'CancellationBucket').BucketEncryption,
    ],
    [
      'roles_name_what_they_allow',
      (copy) => {
        properties(copy, 'CreateTaskRole').Policies[0].PolicyDocument.Statement[0].Action = [
          'sqs:*',
        ];
      },
    ],
    [
      'roles_name_what_they_allow',
      (copy) => {
        properties(copy, 'CreateTaskRole').Policies[0].PolicyDocument.Statement[0].Resource = '*';
      },
    ],
    [
      'roles_are_for_lambda_alone',
      (copy) => {
        const [statement] = properties(copy, 'CreateTaskRole').AssumeRolePolicyDocument.Statement;
        statement.Principal = { Service: 'ec2.amazonaws.com' };
      },
    ],
    [
      'the_runner_has_no_rights',
      (copy) => Object.assign(properties(copy, 'RunCommandRole'), { ManagedPolicyArns: ['arn:x'] }),
    ],
    [
      'the_runner_has_no_rights',
      (copy) => {
        properties(copy, 'RunDashcommandLambdaFunction').Environment.Variables = { A: 'b' };
      },
    ],
    [
      'logs_are_not_kept_for_ever',
      (copy) => delete properties(copy, 'CreateDashtaskLogGroup').RetentionInDays,
    ],
    [
      'functions_are_as_we_build_them',
      (copy) => {
        properties(copy, 'GetDashtaskLambdaFunction').Runtime = 'nodejs20.x';
      },
    ],
    [
      'messages_come_one_by_one',
      (copy) => {
        properties(copy, 'ExecuteDashtaskEventSourceMappingSQSTaskQueue').BatchSize = 10;
      },
    ],
    [
      'the_api_is_throttled_and_logged',
      (copy) => delete properties(copy, 'HttpApiStage').DefaultRouteSettings,
    ],
  ])('%s fails where it is broken', async (rule, mistake) => {
    expect(await brokenRules(broken(template, mistake))).toContain(rule);
  });
});

describe('the template', () => {
  const functions = () => ofType(template, 'AWS::Lambda::Function');

  it('gives each function a role of its own', () => {
    const roles = functions().map(([, { Properties }]) => Properties?.Role['Fn::GetAtt'][0]);
    expect(new Set(roles).size).toBe(functions().length);
  });

  it('hides a message for six times as long as its worker may take', () => {
    const worker = properties(template, 'ExecuteDashtaskLambdaFunction');
    expect(properties(template, 'TaskQueue').VisibilityTimeout).toBe(6 * worker.Timeout);
  });

  it('gives the runner as long as its worker', () => {
    const worker = properties(template, 'ExecuteDashtaskLambdaFunction');
    const runner = properties(template, 'RunDashcommandLambdaFunction');
    expect(runner.Timeout).toBeGreaterThanOrEqual(worker.Timeout);
  });

  it('keeps dead letters for longer than messages', () => {
    const kept = (id: string) => properties(template, id).MessageRetentionPeriod;
    expect(kept('DeadLetterQueue')).toBeGreaterThan(kept('TaskQueue'));
  });

  it('lets no HTTP function run for longer than API Gateway waits', () => {
    const http = ofType(template, 'AWS::ApiGatewayV2::Integration').map(
      ([, { Properties }]) => Properties?.IntegrationUri['Fn::GetAtt'][0] as string,
    );
    expect(http.length).toBeGreaterThan(0);
    for (const id of http) expect(properties(template, id).Timeout).toBeLessThan(30);
  });

  it('shows no secret', () => {
    expect(JSON.stringify(template)).not.toMatch(/postgres(ql)?:\/\//);
    const { Variables } = properties(template, 'CreateDashtaskLambdaFunction').Environment;
    expect(Variables).toMatchObject({
      DATABASE_SECRET: 'ssm:/errand/prod/database-url',
      DATABASE_URL: '',
    });
  });

  it('runs the relay, the rescue and the tally each minute, and forgets once an hour', () => {
    const rules = ofType(template, 'AWS::Events::Rule').map(
      ([, { Properties }]) => Properties?.ScheduleExpression,
    );
    expect(rules.sort()).toEqual(['rate(1 hour)', ...Array(3).fill('rate(1 minute)')]);
  });

  it('tags what can be tagged and tells where it is', () => {
    for (const [, { Properties }] of functions()) {
      expect(Properties?.Tags).toContainEqual({ Key: 'stage', Value: 'prod' });
    }
    expect(Object.keys(template.Outputs ?? {})).toEqual(
      expect.arrayContaining(['HttpApiUrl', 'TaskQueueName', 'DeadLetterQueueName']),
    );
  });

  it('migrates the database before any function of a new release serves', () => {
    for (const [id, { DependsOn }] of functions()) {
      const waits = [DependsOn].flat().includes('DatabaseMigration');
      expect([id, waits]).toEqual([id, id !== 'MigrateDashdatabaseLambdaFunction']);
    }
    expect(properties(template, 'DatabaseMigration').SchemaVersion).toBe(String(SCHEMA_VERSION));
  });

  it('watches what an operator must know, and tells what to do', async () => {
    const alarms = ofType(template, 'AWS::CloudWatch::Alarm').map(([id]) => id);
    expect(alarms).toEqual(
      expect.arrayContaining(['OldestMessageAlarm', 'DeadLettersAlarm', 'RelayMissingAlarm']),
    );
    const manual = await readFile('docs/operations.md', 'utf8');
    const rows = [...manual.matchAll(/^\| `(\w+)`/gm)].map(([, id]) => `${id}Alarm`);
    expect(rows.sort()).toEqual(alarms.sort());
  });

  it('watches the metric that the relay writes, of this stack alone', () => {
    expect(properties(template, 'RelayLagAlarm')).toMatchObject({
      Namespace: 'errand',
      MetricName: 'errand_relay_lag_seconds',
      Dimensions: [{ Name: 'service', Value: { Ref: 'AWS::StackName' } }],
      Statistic: 'Maximum',
      Threshold: 300,
      Period: 300,
    });
  });
});
