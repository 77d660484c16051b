import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { arrivals } from '../../../scripts/load/arrivals.ts';
import { openClient } from '../../../scripts/load/client.ts';
import { type Arrival, dispatch } from '../../../scripts/load/dispatch.ts';
import { openRecorder } from '../../../scripts/load/recorder.ts';
import { useStallingServer } from './stalling-server.ts';

const server = useStallingServer();
const forSeconds = (rate: number, seconds: number) =>
  arrivals([{ fromRate: rate, toRate: rate, seconds }]);
const never = new AbortController().signal;

/** 400 requests in two seconds to a server that answers nobody from 0.5 s to 1.5 s. */
async function loadAStall(maxOpen: number) {
  const client = openClient({
    url: server.url,
    key: undefined,
    connections: maxOpen,
    timeoutMs: 20_000,
  });
  const recorder = openRecorder(1000);
  const startedAt = performance.now();
  const stall = (async () => {
    await delay(500);
    server.stall();
    await delay(1000);
    server.goOn();
  })();
  await dispatch(
    {
      arrivals: forSeconds(200, 2),
      maxOpen,
      signal: never,
      unsent: recorder.unsent,
      async send(arrival) {
        recorder.sent(arrival);
        const answer = await client.ask({ method: 'GET', path: '/' });
        recorder.answered('get', arrival, answer, performance.now() - startedAt);
      },
    },
    startedAt,
  );
  await Promise.all([stall, client.cutOff()]);
  return recorder.figures();
}

describe('dispatch', () => {
  it('shows a stall of a second to every request that was due in it', async () => {
    const { due, unsent, errors, operations } = await loadAStall(1000);
    expect([due, unsent, errors]).toEqual([400, 0, 0]);
    // Half of all were due in the stall, evenly: a client that waits for answers would have sent
    // one in it, and have shown a p99 of nothing.
    const { p90, p99, max } = operations.get?.latencyMs ?? {};
    expect(p90).toBeGreaterThan(700);
    expect(p99).toBeGreaterThan(900);
    expect(max).toBeGreaterThan(950);
  });

  it('counts what it could not send, as too many requests were open', async () => {
    const { due, sent, unsent, bins } = await loadAStall(20);
    expect(due).toBe(400);
    expect(sent + unsent).toBe(400);
    expect(unsent).toBeGreaterThan(100);
    expect(bins.reduce((sum, bin) => sum + bin.unsent, 0)).toBe(unsent);
  });

  it('is held up by no answer that never comes', async () => {
    const waiting: (() => void)[] = [];
    const sent: Arrival[] = [];
    const over = dispatch({
      arrivals: forSeconds(500, 0.2),
      maxOpen: 100,
      signal: never,
      unsent: () => {},
      send: (arrival) => {
        sent.push(arrival);
        if (sent.length === 100) for (const answer of waiting) answer();
        return sent.length === 100
          ? Promise.resolve()
          : new Promise<void>((resolve) => waiting.push(resolve));
      },
    });
    await over;
    expect(sent.map(({ number }) => number)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(sent.every(({ dueMs, sentMs }) => sentMs >= dueMs)).toBe(true);
  });

  it('counts its own lateness from when a request was due', async () => {
    const recorder = openRecorder(1000);
    const startedAt = performance.now();
    await dispatch(
      {
        arrivals: forSeconds(100, 0.5),
        maxOpen: 100,
        signal: never,
        unsent: recorder.unsent,
        async send(arrival) {
          // As a collector of garbage, or another program, would hold up this process.
          if (arrival.number === 10)
            for (const at = performance.now(); performance.now() - at < 200; );
          recorder.sent(arrival);
          const answer = { kind: 'answered', status: 200, body: '' } as const;
          recorder.answered('get', arrival, answer, performance.now() - startedAt);
        },
      },
      startedAt,
    );
    const { due, lateMs, operations } = recorder.figures();
    expect(due).toBe(50);
    expect(lateMs.max).toBeGreaterThan(150);
    expect(operations.get?.latencyMs.max).toBeGreaterThan(190);
  });

  it('sends nothing more once it is stopped', async () => {
    const stop = new AbortController();
    let sent = 0;
    await dispatch({
      arrivals: forSeconds(50, 3600),
      maxOpen: 100,
      signal: stop.signal,
      unsent: () => {},
      async send() {
        sent++;
        if (sent === 5) stop.abort();
      },
    });
    expect(sent).toBe(5);
  });
});
