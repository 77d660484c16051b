import { describe, expect, it } from 'vitest';
import { formatMs, formatReport } from '../../../scripts/load/format.ts';
import { answered, aReport } from './a-report.ts';

describe('the summary of a load', () => {
  it('has a row for each operation, and what became of the tasks', async () => {
    const report = await aReport({
      requests: [
        { dueMs: 0, tookMs: 12 },
        { dueMs: 100, tookMs: 12, answer: answered(503) },
        { dueMs: 200, tookMs: 12, answer: { kind: 'failed', reason: 'timed out' } },
        { dueMs: 300, answer: answered(429) },
        { operation: 'get', dueMs: 400, tookMs: 3, answer: answered(200) },
      ],
      tasks: [{ createdMs: 10, startedMs: 20, finishedMs: 40 }, { createdMs: 20 }],
      memory: [
        { atMs: 0, mb: { postgres: 50.4 } },
        { atMs: 5000, mb: { postgres: 61 } },
      ],
    });
    const text = formatReport(report);
    const row = (name: string) =>
      text
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(/ {2,}/);
    expect(row('create ')).toEqual([
      ...['create', '4', '2', '12', '12', '12', '12', '12'],
      '202: 1, 429: 1, 503: 1, timed out: 1',
    ]);
    expect(row('get')).toEqual(['get', '1', '0', '3', '3', '3', '3', '3', '200: 1']);
    expect(row('created to ended')).toEqual([
      ...['created to ended', '1', '30', '30', '30', '30', '30'],
    ]);
    expect(text).toContain(
      'requests   5 due, 0.5/s; 5 sent; failed 40.00 %; refused with 429 1\n' +
        'tasks      2 created, 0.2/s; 1 ended, 0.1/s: 1 succeeded, 0 failed, 0 cancelled\n' +
        'backlog    at most 1 queued; 1 left after 1 s without load\n' +
        'memory     MB at the beginning and the end: postgres 50 to 61',
    );
  });

  it('has the rate of what was due, whether or not the last answer came before the end', async () => {
    const requests = Array.from({ length: 100 }, (_, n) => ({ dueMs: n * 100 }));
    const quick = await aReport({ requests, answeredSeconds: 9.91 });
    expect(formatReport(quick)).toContain('100 due, 10.0/s');
    const cut = await aReport({ requests, answeredSeconds: 5, endedEarly: true });
    expect(formatReport(cut)).toContain('100 due, 20.0/s');
  });

  it('says what makes its figures better or worse than they were', async () => {
    const text = formatReport(
      await aReport({
        requests: [
          { dueMs: 0, answer: undefined },
          { dueMs: 0, tookMs: 80, lateMs: 50 },
          { dueMs: 0, answer: { kind: 'cut off' } },
        ],
        endedEarly: true,
        tasksUnread: 'The server is gone.',
      }),
    );
    expect(text).toContain('Ended early: 1 requests were given up');
    expect(text).toContain('1 requests were not sent, as 1000 were open already (--max-open)');
    expect(text).toContain('This process sent late: p99 50 ms');
    expect(text).toContain('No figure of tasks is known. The server is gone.');
  });

  it('tells what was done at most, where tasks waited all the time', async () => {
    const tasks = Array.from({ length: 50 }, (_, n) => ({
      createdMs: 0,
      startedMs: n * 200,
      finishedMs: n * 200 + 100,
    }));
    expect(formatReport(await aReport({ tasks }))).toContain('5.0/s ended while it was saturated');
  });

  it.each([
    [null, '-'],
    [0.8964, '0.896'],
    [12.345, '12.3'],
    [99.96, '100'],
    [1234.5, '1235'],
  ])('writes %d ms as %s', (ms, text) => {
    expect(formatMs(ms)).toBe(text);
  });
});
