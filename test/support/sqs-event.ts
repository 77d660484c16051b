import { randomUUID } from 'node:crypto';
import type { SQSEvent, SQSRecord } from 'aws-lambda';

/** A record as in AWS's example event of a standard queue. */
export function aRecord(fields: Partial<SQSRecord> = {}): SQSRecord {
  return {
    messageId: randomUUID(),
    receiptHandle: 'AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...',
    body: '{}',
    attributes: {
      ApproximateReceiveCount: '1',
      SentTimestamp: '1545082649183',
      SenderId: 'AIDAIENQZJOLO23YVJ4VO',
      ApproximateFirstReceiveTimestamp: '1545082649185',
    },
    messageAttributes: {},
    md5OfBody: '098f6bcd4621d373cade4e832627b4f6',
    eventSource: 'aws:sqs',
    eventSourceARN: 'arn:aws:sqs:us-east-1:123456789012:my-queue',
    awsRegion: 'us-east-1',
    ...fields,
  };
}

/** The record of a task's message. */
export function aRecordOf(taskId: string, fields: Partial<SQSRecord> = {}): SQSRecord {
  return aRecord({ body: JSON.stringify({ taskId }), ...fields });
}

export function anSqsEvent(...records: SQSRecord[]): SQSEvent {
  return { Records: records };
}
