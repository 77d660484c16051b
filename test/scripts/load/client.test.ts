import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../../../dev/ports.ts';
import { type Client, openClient } from '../../../scripts/load/client.ts';
import { eventually } from '../../support/eventually.ts';
import { useStallingServer } from './stalling-server.ts';

const stalling = useStallingServer();
const opened: Client[] = [];
afterEach(async () => {
  stalling.goOn();
  await Promise.all(opened.splice(0).map((client) => client.cutOff()));
});

function open(url: string, fields: { key?: string; timeoutMs?: number } = {}): Client {
  const { key, timeoutMs = 20_000 } = fields;
  const client = openClient({ url, key, connections: 4, timeoutMs });
  opened.push(client);
  return client;
}

const get = { method: 'GET', path: '/api/tasks?limit=1' } as const;

describe('the client of a load', () => {
  it('sends what it is given below the path of the URL, with the key', async () => {
    const seen: unknown[] = [];
    const server = createServer(async (request, response) => {
      const body = (await request.toArray()).join('');
      const { method, url, headers } = request;
      const { authorization, prefer, 'content-type': type } = headers;
      seen.push([method, url, authorization, prefer, type, body]);
      response.writeHead(202).end('{"id": 1}');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const client = open(`http://127.0.0.1:${port}/prod/`, { key: 'errand_x' });
    const body = { command: 'true' };
    const headers = { prefer: 'wait=1' };
    expect(await client.ask({ method: 'POST', path: '/api/tasks', body, headers })).toEqual({
      kind: 'answered',
      status: 202,
      body: '{"id": 1}',
    });
    await client.ask(get);
    expect(seen).toEqual([
      [
        ...['POST', '/prod/api/tasks', 'Bearer errand_x', 'wait=1'],
        ...['application/json', '{"command":"true"}'],
      ],
      ['GET', '/prod/api/tasks?limit=1', 'Bearer errand_x', undefined, undefined, ''],
    ]);
    server.closeAllConnections();
    server.close();
  });

  it('names why there is no answer: nobody listens', async () => {
    const client = open(`http://127.0.0.1:${await freePort(undefined)}`);
    expect(await client.ask(get)).toEqual({ kind: 'failed', reason: 'ECONNREFUSED' });
  });

  it('names why there is no answer: the connection was closed', async () => {
    const server = createTcpServer((socket) => socket.once('data', () => socket.end()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    expect(await client.ask(get)).toEqual({ kind: 'failed', reason: 'connection closed' });
    server.close();
  });

  it('names why there is no answer: none came in time', async () => {
    stalling.stall();
    const client = open(stalling.url, { timeoutMs: 100 });
    expect(await client.ask(get)).toEqual({ kind: 'failed', reason: 'timed out' });
  });

  it('gives up what is open, and does not call that a failure', async () => {
    stalling.stall();
    const client = open(stalling.url);
    const asked = client.ask(get);
    await eventually(() => expect(stalling.kept).toBeGreaterThan(0));
    await client.cutOff();
    expect(await asked).toEqual({ kind: 'cut off' });
  });
});
