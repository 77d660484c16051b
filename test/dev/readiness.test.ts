import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { askReadiness } from '../../dev/readiness.ts';

let server: Server;
afterEach(() => server.close());

async function serve(answer: (request: IncomingMessage) => [number, string]): Promise<number> {
  server = createServer((request, response) => {
    const [status, body] = answer(request);
    response.writeHead(status).end(body);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const ask = (port: number, allowedHosts: string) =>
  askReadiness({ host: '127.0.0.1', port, allowedHosts, signal: AbortSignal.timeout(5000) });

describe('askReadiness', () => {
  it('asks by the first name that the API answers to, wherever it listens', async () => {
    const port = await serve(({ headers }) => [200, String(headers.host)]);
    expect(await ask(port, ' errand.example, localhost')).toEqual({
      status: 200,
      body: `errand.example:${port}`,
    });
  });

  it('asks by the address when the API answers to any name', async () => {
    const port = await serve(({ headers }) => [200, String(headers.host)]);
    expect(await ask(port, '')).toEqual({ status: 200, body: `127.0.0.1:${port}` });
  });

  it('tells what the API said when it is not ready', async () => {
    const port = await serve(({ url }) => [url === '/health/ready' ? 503 : 404, 'queue: down']);
    expect(await ask(port, '')).toEqual({ status: 503, body: 'queue: down' });
  });

  it('rejects when nobody listens', async () => {
    const port = await serve(() => [200, '']);
    server.close();
    await once(server, 'close');
    await expect(ask(port, '')).rejects.toThrow('ECONNREFUSED');
  });
});
