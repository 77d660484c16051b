import { describe, expect, it } from 'vitest';
import type { Answer } from '../../../scripts/load/client.ts';
import type { Operation } from '../../../scripts/load/mixes.ts';
import { openRecorder } from '../../../scripts/load/recorder.ts';

const status = (code: number): Answer => ({ kind: 'answered', status: code, body: '' });

/** Each due and sent at its time, and done so many milliseconds later. */
function record(
  ...requests: [operation: Operation, dueMs: number, tookMs: number, answer: Answer][]
) {
  const recorder = openRecorder(1000);
  for (const [number, [operation, dueMs, tookMs, answer]] of requests.entries()) {
    const arrival = { number, dueMs, sentMs: dueMs };
    recorder.sent(arrival);
    recorder.answered(operation, arrival, answer, dueMs + tookMs);
  }
  return recorder.figures();
}

describe('the figures of requests', () => {
  it('have the percentiles of each operation', () => {
    const times = Array.from({ length: 1000 }, (_, n) => n + 1);
    const figures = record(
      ...times.map((ms) => ['create', 0, ms, status(202)] as [Operation, number, number, Answer]),
      ['get', 0, 7, status(200)],
    );
    const { count, latencyMs } = figures.operations.create ?? {};
    expect(count).toBe(1000);
    expect(latencyMs?.p50).toBeCloseTo(500, -1);
    expect(latencyMs?.p90).toBeCloseTo(900, -1);
    expect(latencyMs?.p99).toBeCloseTo(990, -1);
    expect(latencyMs?.p999).toBeCloseTo(999, -1);
    expect(latencyMs?.max).toBeCloseTo(1000, -1);
    expect(figures.operations.get?.latencyMs.p50).toBeCloseTo(7, 1);
    expect(figures.operations.cancel).toBeUndefined();
  });

  it('count as errors what no client asked for, and tell it by status and reason', () => {
    const { errors, operations } = record(
      ['create', 0, 1, status(202)],
      ['create', 0, 1, status(503)],
      ['create', 0, 1, status(403)],
      ['create', 0, 1, { kind: 'failed', reason: 'ECONNRESET' }],
      ['cancel', 0, 1, status(409)],
      ['get', 0, 1, status(404)],
    );
    expect(errors).toBe(4);
    expect(operations.create).toMatchObject({
      count: 4,
      errors: 3,
      byStatus: { 202: 1, 503: 1, 403: 1 },
      failures: { ECONNRESET: 1 },
    });
    expect(operations.cancel).toMatchObject({ count: 1, errors: 0, byStatus: { 409: 1 } });
    expect(operations.get).toMatchObject({ errors: 1 });
  });

  it('count a 429 apart, and let its speed flatter no percentile', () => {
    const { errors, limited, operations, bins } = record(
      ['get', 0, 100, status(200)],
      ['get', 0, 1, status(429)],
      ['get', 0, 1, status(429)],
    );
    expect([errors, limited, bins[0]?.limited]).toEqual([0, 2, 2]);
    expect(operations.get?.latencyMs.p50).toBeCloseTo(100, -1);
  });

  it('know nothing of a request that was given up, but that it was', () => {
    const { cutOff, errors, operations } = record(['get', 0, 9, { kind: 'cut off' }]);
    expect([cutOff, errors, operations.get]).toEqual([1, 0, undefined]);
  });

  it('count a time under when the request was due, an answer under when it came', () => {
    const { bins } = record(['get', 900, 2500, status(200)], ['get', 3100, 10, status(200)]);
    expect(bins.map(({ due, answered }) => [due, answered])).toEqual([
      [1, 0],
      [0, 0],
      [0, 0],
      [1, 2],
    ]);
    expect(bins[0]?.latencyMs.max).toBeGreaterThan(2450);
    expect(bins[1]?.latencyMs.max).toBeNull();
  });

  it('keep a wait, which takes as long as its command, out of the times of answers', () => {
    const { bins, operations } = record(['wait', 0, 5000, status(200)]);
    expect(bins[0]?.latencyMs.p50).toBeNull();
    expect(operations.wait?.latencyMs.p50).toBeCloseTo(5000, -2);
  });
});
