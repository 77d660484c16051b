import { NAMESPACE } from '../lib/observability/cloudwatch.ts';

/** A metric of CloudWatch that somebody should look at, and the value from which on. */
export interface Alarm {
  /** Logical id, and the heading in docs/operations.md. */
  readonly id: string;
  readonly says: string;
  readonly namespace: 'AWS/SQS' | 'AWS/Lambda' | 'AWS/ApiGateway' | typeof NAMESPACE;
  readonly metric: string;
  readonly dimensions: Readonly<Record<string, unknown>>;
  readonly statistic: 'Sum' | 'Maximum' | 'p99';
  readonly threshold: number;
  readonly minutes: number;
  /** For what must happen: below the threshold is the trouble, and no data, too. */
  readonly below?: boolean;
}

const taskQueue = { QueueName: { 'Fn::GetAtt': ['TaskQueue', 'QueueName'] } };
const deadLetterQueue = { QueueName: { 'Fn::GetAtt': ['DeadLetterQueue', 'QueueName'] } };
const api = { ApiId: { Ref: 'HttpApi' } };
const fn = (logicalName: string) => ({
  FunctionName: {
    Ref: `${logicalName.replaceAll('-', 'Dash').replace(/^./, (c) => c.toUpperCase())}LambdaFunction`,
  },
});

/**
 * docs/operations.md says of each what it means and what to do. `upkeepMinutes`: how often the relay
 * and the rescue run.
 */
export const alarmsFor = (upkeepMinutes: number): readonly Alarm[] => [
  {
    id: 'OldestMessage',
    says: 'Tasks wait longer than 5 minutes for a worker.',
    namespace: 'AWS/SQS',
    metric: 'ApproximateAgeOfOldestMessage',
    dimensions: taskQueue,
    statistic: 'Maximum',
    threshold: 300,
    minutes: 5,
  },
  {
    id: 'DeadLetters',
    says: 'Messages failed five times and rest.',
    namespace: 'AWS/SQS',
    metric: 'ApproximateNumberOfMessagesVisible',
    dimensions: deadLetterQueue,
    statistic: 'Maximum',
    threshold: 0,
    minutes: 1,
  },
  {
    id: 'WorkerErrors',
    says: 'The worker crashed, ran out of time or did not start.',
    namespace: 'AWS/Lambda',
    metric: 'Errors',
    dimensions: fn('execute-task'),
    statistic: 'Sum',
    threshold: 0,
    minutes: 5,
  },
  {
    id: 'RunnerThrottles',
    says: 'Commands wait for a free runner: the account has no concurrency left.',
    namespace: 'AWS/Lambda',
    metric: 'Throttles',
    dimensions: fn('run-command'),
    statistic: 'Sum',
    threshold: 10,
    minutes: 5,
  },
  {
    id: 'WorkerThrottles',
    says: 'Messages wait for a free worker: the account has no concurrency left.',
    namespace: 'AWS/Lambda',
    metric: 'Throttles',
    dimensions: fn('execute-task'),
    statistic: 'Sum',
    threshold: 10,
    minutes: 5,
  },
  {
    id: 'RelayErrors',
    says: 'Messages that a crash left unsent are not being sent.',
    namespace: 'AWS/Lambda',
    metric: 'Errors',
    dimensions: fn('relay-outbox'),
    statistic: 'Sum',
    threshold: 2,
    minutes: 5,
  },
  {
    id: 'RelayLag',
    says: 'A message is owed to the queue for longer than five turns of the relay.',
    namespace: NAMESPACE,
    metric: 'errand_relay_lag_seconds',
    dimensions: { service: { Ref: 'AWS::StackName' } },
    statistic: 'Maximum',
    threshold: 5 * 60 * upkeepMinutes,
    minutes: 5 * upkeepMinutes,
  },
  {
    id: 'RelayMissing',
    says: 'The relay did not run at all.',
    namespace: 'AWS/Lambda',
    metric: 'Invocations',
    dimensions: fn('relay-outbox'),
    statistic: 'Sum',
    threshold: 1,
    minutes: 5 * upkeepMinutes,
    below: true,
  },
  {
    id: 'RescueMissing',
    says: 'Tasks of dead workers are not being rescued.',
    namespace: 'AWS/Lambda',
    metric: 'Invocations',
    dimensions: fn('rescue-tasks'),
    statistic: 'Sum',
    threshold: 1,
    minutes: 5 * upkeepMinutes,
    below: true,
  },
  {
    id: 'ApiErrors',
    says: 'The API answers with 5xx.',
    namespace: 'AWS/ApiGateway',
    metric: '5xx',
    dimensions: api,
    statistic: 'Sum',
    threshold: 5,
    minutes: 5,
  },
  {
    id: 'ApiSlow',
    says: 'One of a hundred requests takes longer than 3 seconds, waiting ones left aside.',
    namespace: 'AWS/ApiGateway',
    metric: 'Latency',
    dimensions: api,
    statistic: 'p99',
    threshold: 3000,
    minutes: 15,
  },
];

/** The alarms as resources. `actions`: ARNs of what is told, as an SNS topic. */
export function alarmResources(
  stackName: string,
  alarms: readonly Alarm[],
  actions: readonly string[],
): object {
  return Object.fromEntries(
    alarms.map((alarm) => [
      `${alarm.id}Alarm`,
      {
        Type: 'AWS::CloudWatch::Alarm',
        Properties: {
          AlarmName: `${stackName}-${alarm.id}`,
          AlarmDescription: `${alarm.says} What to do: docs/operations.md, ${alarm.id}.`,
          Namespace: alarm.namespace,
          MetricName: alarm.metric,
          Dimensions: Object.entries(alarm.dimensions).map(([Name, Value]) => ({ Name, Value })),
          ...(alarm.statistic === 'p99'
            ? { ExtendedStatistic: 'p99' }
            : { Statistic: alarm.statistic }),
          Period: 60 * alarm.minutes,
          EvaluationPeriods: 1,
          Threshold: alarm.threshold,
          ComparisonOperator: alarm.below ? 'LessThanThreshold' : 'GreaterThanThreshold',
          TreatMissingData: alarm.below ? 'breaching' : 'notBreaching',
          ...(actions.length > 0 && { AlarmActions: actions, OKActions: actions }),
        },
      },
    ]),
  );
}

/** A dashboard that shows what the alarms watch, with their lines, in the same order. */
export function dashboardResource(stackName: string, alarms: readonly Alarm[]): object {
  const variables: Record<string, unknown> = {};
  const widgets = alarms.map((alarm, index) => {
    const dimensions = Object.entries(alarm.dimensions).flatMap(([name, value]) => {
      const variable = `${alarm.id}${name}`;
      variables[variable] = value;
      return [name, `\${${variable}}`];
    });
    return {
      type: 'metric',
      x: (index % 3) * 8,
      y: Math.floor(index / 3) * 6,
      width: 8,
      height: 6,
      properties: {
        title: alarm.says,
        region: `\${AWS::Region}`,
        period: 60,
        stat: alarm.statistic,
        metrics: [[alarm.namespace, alarm.metric, ...dimensions]],
        annotations: { horizontal: [{ label: `alarm ${alarm.id}`, value: alarm.threshold }] },
      },
    };
  });
  return {
    Type: 'AWS::CloudWatch::Dashboard',
    Properties: {
      DashboardName: stackName,
      DashboardBody: { 'Fn::Sub': [JSON.stringify({ widgets }), variables] },
    },
  };
}
