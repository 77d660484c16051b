import { Agent, request } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import type { WireAnswer } from './complaints.ts';
import type { WireRequest } from './requests.ts';

/** Sends requests as they are: no client between that would mend or refuse them. */
export function overHttp(origin: string) {
  const agent = new Agent({ keepAlive: true });
  const send = ({ method, path, query, headers, body }: WireRequest) =>
    new Promise<WireAnswer>((resolve, reject) => {
      const search = new URLSearchParams(
        query.map(([name, value]): [string, string] => [name, value]),
      );
      const wire = request(origin, {
        agent,
        method,
        path: query.length > 0 ? `${path}?${search}` : path,
        headers: { ...headers, ...(body && { 'content-length': body.length }) },
      });
      wire.on('error', reject);
      wire.on('response', async (response) => {
        const bytes = await buffer(response);
        const isZipped = response.headers['content-encoding'] === 'gzip' && bytes.length > 0;
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers as Record<string, string>,
          body: (isZipped ? gunzipSync(bytes) : bytes).toString('utf8'),
        });
      });
      wire.end(body);
    });
  return { send, close: () => agent.destroy() };
}
