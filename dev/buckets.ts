import { AwsClient } from 'aws4fetch';
import type { Lookup, Template } from './cloudformation.ts';

/** Logical id to name. */
export type Buckets = ReadonlyMap<string, string>;

/** Names for the buckets of a template, which leaves theirs to CloudFormation. */
export function nameBuckets(template: Template, stackName: string): Buckets {
  const buckets = Object.entries(template).filter(([, { Type }]) => Type === 'AWS::S3::Bucket');
  return new Map(buckets.map(([id]) => [id, `${stackName}-${id.toLowerCase()}`]));
}

/** `Ref` is a bucket's name, as on AWS. */
export function bucketLookup(buckets: Buckets, fallback: Lookup): Lookup {
  return (logicalId, attribute) =>
    (attribute === undefined ? buckets.get(logicalId) : undefined) ??
    fallback(logicalId, attribute);
}

/** Makes the buckets exist in an emulator. Safe to run again. */
export async function ensureBuckets(buckets: Buckets, endpoint: string, region: string) {
  const keys = { accessKeyId: 'local', secretAccessKey: 'local', service: 's3', region };
  const client = new AwsClient({ ...keys, retries: 0 });
  for (const name of buckets.values()) {
    const answer = await client.fetch(`${endpoint}/${name}`, { method: 'PUT' });
    if (!answer.ok && answer.status !== 409) {
      throw new Error(`making the bucket ${name} at ${endpoint} answered ${answer.status}`);
    }
  }
}
