import { randomUUID } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import type { Cancellations } from './runner.ts';

export interface CancellationSettings {
  readonly bucket: string;
  readonly region: string;
  /** Of an emulator; undefined on AWS. */
  readonly endpoint: string | undefined;
}

/** As long as a function can live. */
const LINK_SECONDS = 900;

/**
 * Cancels through an object in a bucket: the runner has a signed link to a name that nobody can
 * guess, asks once a second whether there is an object, and ends its command when there is one.
 */
export function openCancellations(
  { bucket, region, endpoint }: CancellationSettings,
  env: Readonly<Record<string, string | undefined>>,
): Cancellations {
  const base = endpoint ?? `https://s3.${region}.amazonaws.com`;
  // Read for each use: on Lambda they change.
  const client = () =>
    new AwsClient({
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? '',
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? '',
      ...(env.AWS_SESSION_TOKEN && { sessionToken: env.AWS_SESSION_TOKEN }),
      service: 's3',
      region,
      retries: 3,
    });
  return {
    async open() {
      const object = new URL(`${base}/${bucket}/${randomUUID()}`);
      const link = new URL(object);
      link.searchParams.set('X-Amz-Expires', String(LINK_SECONDS));
      const { url } = await client().sign(link.href, { aws: { signQuery: true } });
      return {
        url,
        async cancel() {
          const answer = await client().fetch(object.href, { method: 'PUT', body: 'cancelled' });
          if (!answer.ok) throw new Error(`S3 answered ${answer.status} to a cancellation`);
        },
      };
    },
  };
}
