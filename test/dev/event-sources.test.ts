import { describe, expect, it } from 'vitest';
import { enabledEvents, readSqsEvent } from '../../dev/event-sources.ts';
import type { Queues } from '../../dev/queues.ts';

const queue = { name: 'tasks', url: 'http://queue/tasks', arn: 'arn:aws:sqs:us-east-1:0:tasks' };
const queues: Queues = new Map([['Tasks', queue]]);
const arn = { 'Fn::GetAtt': ['Tasks', 'Arn'] };

describe('readSqsEvent', () => {
  it("takes AWS's defaults for what is left out", () => {
    expect(readSqsEvent('worker', { arn }, queues)).toEqual({
      queueUrl: 'http://queue/tasks',
      queueArn: 'arn:aws:sqs:us-east-1:0:tasks',
      batchSize: 10,
      maximumBatchingWindowSeconds: 0,
      maximumConcurrency: 10,
      reportBatchItemFailures: false,
    });
  });

  it('takes what the event says', () => {
    const event = {
      arn,
      batchSize: 1,
      maximumBatchingWindow: 5,
      maximumConcurrency: 8,
      functionResponseType: 'ReportBatchItemFailures',
    };
    expect(readSqsEvent('worker', event, queues)).toMatchObject({
      batchSize: 1,
      maximumBatchingWindowSeconds: 5,
      maximumConcurrency: 8,
      reportBatchItemFailures: true,
    });
  });

  it('knows a queue by its ARN alone', () => {
    expect(readSqsEvent('worker', queue.arn, queues).queueUrl).toBe('http://queue/tasks');
  });

  it('complains about a queue that the template does not make', () => {
    expect(() => readSqsEvent('worker', { arn: { Ref: 'Other' } }, queues)).toThrow(
      'worker: the sqs event names no queue of the resources: {"Ref":"Other"}',
    );
  });

  it('complains about what it does not do, rather than behave unlike AWS', () => {
    const event = { arn, filterPatterns: [{ body: {} }] };
    expect(() => readSqsEvent('worker', event, queues)).toThrow(
      'worker: filterPatterns of an sqs event is not supported locally',
    );
  });
});

describe('enabledEvents', () => {
  it('leaves out other kinds, and events that are switched off', () => {
    const events = [
      { schedule: 'rate(1 minute)' },
      { schedule: { rate: 'rate(1 hour)', enabled: false } },
      { schedule: { rate: 'rate(2 minutes)', enabled: true } },
      { httpApi: 'GET /' },
    ];
    expect(enabledEvents({ name: 'upkeep', events }, 'schedule')).toEqual([
      'rate(1 minute)',
      { rate: 'rate(2 minutes)', enabled: true },
    ]);
  });
});
