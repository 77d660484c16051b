import { randomUUID } from 'node:crypto';
import { callAws, makeAwsClient } from '../aws-client.ts';
import type { Cancellations } from './runner.ts';

export interface CancellationSettings {
  readonly bucket: string;
  readonly region: string;
  /** Of an emulator; undefined on AWS. */
  readonly endpoint: string | undefined;
}

const PATIENCE = { attempts: 4, attemptMs: 2000 };
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
  const client = () => makeAwsClient(env, 's3', region);
  return {
    async open() {
      const object = new URL(`${base}/${bucket}/${randomUUID()}`);
      const link = new URL(object);
      link.searchParams.set('X-Amz-Expires', String(LINK_SECONDS));
      const { url } = await client().sign(link.href, { aws: { signQuery: true } });
      return {
        url,
        async cancel() {
          const request = { url: object.href, method: 'PUT', body: 'cancelled' } as const;
          const answer = await callAws(client, request, PATIENCE);
          if (!answer.ok) throw new Error(`S3 answered ${answer.status} to a cancellation`);
        },
      };
    },
  };
}
