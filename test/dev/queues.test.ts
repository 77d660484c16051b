import { randomUUID } from 'node:crypto';
import {
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { pseudoParameters, type Template } from '../../dev/cloudformation.ts';
import { ensureQueues, type Queues } from '../../dev/queues.ts';

describe('ensureQueues', () => {
  const pseudo = pseudoParameters('us-east-1', 'errand-test');
  let sqs: SQSClient;
  let id: string;
  const made = new Set<string>();

  beforeEach(() => {
    sqs = new SQSClient({ endpoint: inject('sqsEndpoint'), region: 'us-east-1' });
    id = randomUUID();
  });
  afterEach(async () => {
    for (const url of made) await sqs.send(new DeleteQueueCommand({ QueueUrl: url }));
    made.clear();
    sqs.destroy();
  });

  /** The resources as the YAML parser leaves them. */
  function template(tasks: Record<string, unknown> = {}): Template {
    return {
      Tasks: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          QueueName: { 'Fn::Sub': `tasks-\${AWS::Region}-${id}` },
          VisibilityTimeout: 120,
          RedrivePolicy: {
            deadLetterTargetArn: { 'Fn::GetAtt': ['Dead', 'Arn'] },
            maxReceiveCount: 5,
          },
          ...tasks,
        },
      },
      Dead: {
        Type: 'AWS::SQS::Queue',
        Properties: {
          QueueName: `dead-${id}`,
          MessageRetentionPeriod: 1209600,
          RedriveAllowPolicy: {
            redrivePermission: 'byQueue',
            sourceQueueArns: [{ 'Fn::GetAtt': 'Tasks.Arn' }],
          },
        },
      },
      Role: { Type: 'AWS::IAM::Role', Properties: {} },
    };
  }

  async function ensure(resources: Template): Promise<Queues> {
    const queues = await ensureQueues(sqs, resources, pseudo);
    for (const { url } of queues.values()) made.add(url);
    return queues;
  }

  async function attributes(url: string | undefined) {
    const answer = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['All'] }),
    );
    return answer.Attributes ?? {};
  }

  it('makes the queues of the template, with references between them', async () => {
    const queues = await ensure(template());

    expect([...queues.keys()]).toEqual(['Tasks', 'Dead']);
    expect(queues.get('Tasks')).toMatchObject({
      name: `tasks-us-east-1-${id}`,
      arn: `arn:aws:sqs:us-east-1:000000000000:tasks-us-east-1-${id}`,
    });
    const tasks = await attributes(queues.get('Tasks')?.url);
    expect(tasks.VisibilityTimeout).toBe('120');
    expect(JSON.parse(tasks.RedrivePolicy ?? '')).toEqual({
      deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:dead-${id}`,
      maxReceiveCount: 5,
    });
    const dead = await attributes(queues.get('Dead')?.url);
    expect(dead.MessageRetentionPeriod).toBe('1209600');
    expect(JSON.parse(dead.RedriveAllowPolicy ?? '')).toEqual({
      redrivePermission: 'byQueue',
      sourceQueueArns: [`arn:aws:sqs:us-east-1:000000000000:tasks-us-east-1-${id}`],
    });
  });

  it('changes nothing and keeps the messages when it runs again', async () => {
    const first = await ensure(template());
    const url = first.get('Tasks')?.url;
    await sqs.send(new SendMessageCommand({ QueueUrl: url, MessageBody: 'a' }));

    const second = await ensure(template());
    expect(second).toEqual(first);
    const { Messages: messages } = await sqs.send(new ReceiveMessageCommand({ QueueUrl: url }));
    expect(messages).toMatchObject([{ Body: 'a' }]);
  });

  it('may run twice at the same time', async () => {
    const [first, second] = await Promise.all([ensure(template()), ensure(template())]);
    expect(second).toEqual(first);
  });

  it('applies changed attributes to existing queues', async () => {
    await ensure(template());
    const queues = await ensure(template({ VisibilityTimeout: 60, DelaySeconds: 3 }));

    expect(await attributes(queues.get('Tasks')?.url)).toMatchObject({
      VisibilityTimeout: '60',
      DelaySeconds: '3',
    });
  });

  it('takes back attributes that the template no longer has', async () => {
    await ensure(template({ DelaySeconds: 3 }));
    const queues = await ensure(
      template({ VisibilityTimeout: undefined, RedrivePolicy: undefined }),
    );

    const tasks = await attributes(queues.get('Tasks')?.url);
    expect(tasks).toMatchObject({ VisibilityTimeout: '30', DelaySeconds: '0' });
    expect(tasks.RedrivePolicy).toBeUndefined();
  });

  it('complains about a reference to something that is no queue', async () => {
    const broken = template({ KmsMasterKeyId: { Ref: 'Key' } });
    await expect(ensureQueues(sqs, broken, pseudo)).rejects.toThrow(
      'Tasks.KmsMasterKeyId refers to something that is no queue here: {"Ref":"Key"}',
    );
  });
});
