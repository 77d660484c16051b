import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  SetQueueAttributesCommand,
  type SQSClient,
} from '@aws-sdk/client-sqs';
import { type Lookup, type Resource, resolveIntrinsics, type Template } from './cloudformation.ts';

export interface Queue {
  readonly name: string;
  readonly url: string;
  readonly arn: string;
}

/** Queues by their logical id in the template. */
export type Queues = ReadonlyMap<string, Queue>;

/**
 * What CloudFormation gives to a property that the template leaves out. Applied on every start, so
 * that a line removed from the template is undone in an emulator that kept its data.
 * https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sqs-queue.html
 */
const DEFAULTS: Readonly<Record<string, string>> = {
  DelaySeconds: '0',
  MessageRetentionPeriod: '345600',
  ReceiveMessageWaitTimeSeconds: '0',
  RedrivePolicy: '',
  VisibilityTimeout: '30',
};

/** Properties of the resource that are no attributes of the queue. */
const NOT_ATTRIBUTES = new Set(['QueueName', 'Tags', 'FifoQueue']);

/**
 * Makes the queues of the template exist with exactly its attributes: the same resources that AWS
 * gets. Existing queues keep their messages. Safe to run again, also at the same time.
 * @throws when a property refers to something that is no queue of this template.
 */
export async function ensureQueues(
  sqs: SQSClient,
  template: Template,
  pseudo: Lookup,
): Promise<Queues> {
  const resources = Object.entries(template).filter(([, { Type }]) => Type === 'AWS::SQS::Queue');

  // Two passes, because a queue and its dead-letter queue may name each other (RedriveAllowPolicy).
  const queues = new Map<string, Queue>();
  for (const [id, resource] of resources)
    queues.set(id, await createQueue(sqs, id, resource, pseudo));

  const lookup = queueLookup(queues, pseudo);
  for (const [id, resource] of resources) {
    const attributes = { ...DEFAULTS, ...queueAttributes(id, resource, lookup) };
    await sqs.send(
      new SetQueueAttributesCommand({ QueueUrl: queues.get(id)?.url, Attributes: attributes }),
    );
  }
  return queues;
}

/** `Ref` is a queue's URL, as on AWS; `Fn::GetAtt` knows `Arn`, `QueueName` and `QueueUrl`. */
export function queueLookup(queues: Queues, fallback: Lookup): Lookup {
  return (logicalId, attribute) => {
    const queue = queues.get(logicalId);
    if (queue === undefined) return fallback(logicalId, attribute);
    if (attribute === 'Arn') return queue.arn;
    if (attribute === 'QueueName') return queue.name;
    return attribute === undefined || attribute === 'QueueUrl' ? queue.url : undefined;
  };
}

async function createQueue(
  sqs: SQSClient,
  logicalId: string,
  { Properties = {} }: Resource,
  pseudo: Lookup,
): Promise<Queue> {
  const name = resolveIntrinsics(Properties.QueueName ?? logicalId, pseudo);
  if (typeof name !== 'string') {
    throw new Error(`${logicalId}.QueueName cannot be resolved here: ${JSON.stringify(name)}`);
  }
  // Only what cannot be changed later: other attributes would clash with those of an existing queue.
  const fifo = Properties.FifoQueue === true ? { Attributes: { FifoQueue: 'true' } } : {};
  const { QueueUrl: url = '' } = await sqs.send(
    new CreateQueueCommand({ QueueName: name, ...fifo }),
  );
  const { Attributes } = await sqs.send(
    new GetQueueAttributesCommand({ QueueUrl: url, AttributeNames: ['QueueArn'] }),
  );
  return { name, url, arn: Attributes?.QueueArn ?? '' };
}

function queueAttributes(logicalId: string, { Properties = {} }: Resource, lookup: Lookup) {
  const attributes: Record<string, string> = {};
  for (const [name, value] of Object.entries(Properties)) {
    if (value === undefined || NOT_ATTRIBUTES.has(name)) continue;
    const resolved = resolveIntrinsics(value, lookup);
    const text = typeof resolved === 'object' ? JSON.stringify(resolved) : String(resolved);
    if (/"(Ref|Fn::[A-Za-z]+)":/.test(text)) {
      throw new Error(`${logicalId}.${name} refers to something that is no queue here: ${text}`);
    }
    attributes[name] = text;
  }
  return attributes;
}
