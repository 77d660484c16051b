import type { ServerResponse } from 'node:http';
import { useLoopbackServer } from '../../support/loopback-server.ts';

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
  const server = useLoopbackServer((request, response) => {
    request.resume();
    if (stalls) kept.push(response);
    else response.end('{}');
  });
  return {
    get url() {
      return server.url;
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
