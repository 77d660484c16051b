import { describe, expect, it } from 'vitest';
import { judge } from '../../../scripts/load/judge.ts';
import { answered, aReport } from './a-report.ts';

const bounds = { p99Ms: 250, maxErrorsPercent: 0 };
const ok = { dueMs: 0, tookMs: 200 };

describe('judge', () => {
  it('has nothing to say of a run that held', async () => {
    const tasks = [{ createdMs: 10, startedMs: 20, finishedMs: 30 }];
    expect(judge(await aReport({ requests: [ok], tasks }), bounds)).toEqual([]);
  });

  it('names each operation that was too slow, but no wait', async () => {
    const report = await aReport({
      requests: [
        ok,
        { operation: 'get', dueMs: 0, tookMs: 300, answer: answered(200) },
        { operation: 'wait', dueMs: 0, tookMs: 9000, answer: answered(200) },
      ],
    });
    expect(judge(report, bounds)).toEqual(['p99 of get 300 ms']);
  });

  it('takes no error, nothing unsent, and no 429', async () => {
    const report = await aReport({
      requests: [
        ok,
        { dueMs: 0, answer: answered(503) },
        { dueMs: 0, answer: undefined },
        { dueMs: 0, answer: answered(429) },
      ],
    });
    expect(judge(report, bounds)).toEqual(['50.00 % failed', '1 refused with 429']);
    expect(judge(report, { p99Ms: 250, maxErrorsPercent: 50 })).toEqual(['1 refused with 429']);
  });

  it('takes no tasks that pile up, though every request is answered at once', async () => {
    // Ten a second come, and two a second are done.
    const tasks = Array.from({ length: 100 }, (_, n) => ({
      createdMs: n * 100,
      startedMs: n * 500,
      finishedMs: n * 500 + 100,
    }));
    const report = await aReport({ requests: [ok], tasks });
    expect(judge(report, bounds)).toEqual(['80 tasks queued at its end']);
  });

  it('does not take that nothing is known of the tasks', async () => {
    const report = await aReport({ requests: [ok], tasksUnread: 'The server is gone.' });
    expect(judge(report, bounds)).toEqual(['its tasks could not be read']);
  });
});
