import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll } from 'vitest';

export interface StallingServer {
  readonly url: string;
  /** From now on no request is answered; those that come are kept. */
  stall(): void;
  /** Answers what was kept, and what comes. */
  goOn(): void;
  /** How many requests are kept. */
  readonly kept: number;
}

/** A real server that can be made to answer nobody for a while, and everybody after it. */
export function useStallingServer(): StallingServer {
  const kept: ServerResponse[] = [];
  let stalls = false;
  const server = createServer((request, response) => {
    request.resume();
    if (stalls) kept.push(response);
    else response.end('{}');
  });
  beforeAll(async () => {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    get url() {
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    },
    get kept() {
      return kept.length;
    },
    stall() {
      stalls = true;
    },
    goOn() {
      stalls = false;
      for (const response of kept.splice(0)) response.end('{}');
    },
  };
}
