import { get } from 'node:http';
import { text } from 'node:stream/consumers';

export interface Asked {
  readonly host: string;
  readonly port: number;
  /** As in ALLOWED_HOSTS: the API answers to these names only, whatever the address it listens on. */
  readonly allowedHosts: string;
  readonly signal: AbortSignal;
}

export interface Readiness {
  readonly status: number;
  readonly body: string;
}

/** Asks the API whether it is ready, by a name that it answers to. `fetch` lets nobody choose that. */
export async function askReadiness(asked: Asked): Promise<Readiness> {
  const { host, port, allowedHosts, signal } = asked;
  const [name] = allowedHosts.split(',').map((each) => each.trim());
  const headers = name ? { host: `${name}:${port}` } : {};
  const { promise, resolve, reject } = Promise.withResolvers<Readiness>();
  get({ host, port, path: '/health/ready', headers, signal }, (response) => {
    text(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
  }).once('error', reject);
  return promise;
}
