import { describe, expect, it } from 'vitest';
import type { Invocation } from '../../dev/lambda-endpoint.ts';
import { startSchedule } from '../../dev/schedule.ts';
import { eventually } from '../support/eventually.ts';

const OK: Invocation = { payload: 'null', failed: false };
const FAILED: Invocation = {
  payload: JSON.stringify({ errorType: 'Error', errorMessage: 'out of luck' }),
  failed: true,
};

describe('startSchedule', () => {
  const options = { everyMs: 10, region: 'us-east-1', report: () => {} };

  it('invokes again and again, with the event of EventBridge', async () => {
    const events: unknown[] = [];
    const schedule = startSchedule({
      ...options,
      invoke: async (event) => {
        events.push(event);
        return OK;
      },
    });
    await eventually(() => expect(events.length).toBeGreaterThan(2));
    await schedule.stop(1000);

    expect(events[0]).toMatchObject({
      'detail-type': 'Scheduled Event',
      source: 'aws.events',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
      region: 'us-east-1',
      detail: {},
    });
  });

  it('gives the input of the schedule instead, when it has one', async () => {
    const invoked = Promise.withResolvers<unknown>();
    const schedule = startSchedule({
      ...options,
      input: { days: 7 },
      invoke: async (event) => {
        invoked.resolve(event);
        return OK;
      },
    });
    expect(await invoked.promise).toEqual({ days: 7 });
    await schedule.stop(1000);
  });

  it('never runs twice at the same time', async () => {
    let running = 0;
    let invocations = 0;
    let overlapped = false;
    const schedule = startSchedule({
      ...options,
      everyMs: 1,
      invoke: async () => {
        running += 1;
        invocations += 1;
        overlapped ||= running > 1;
        await new Promise((resolve) => setTimeout(resolve, 10));
        running -= 1;
        return OK;
      },
    });
    await eventually(() => expect(invocations).toBeGreaterThan(3));
    await schedule.stop(1000);
    expect(overlapped).toBe(false);
  });

  it('tells the first of a row of failures, and when it is over', async () => {
    const reports: (string | undefined)[] = [];
    const answers = [FAILED, FAILED, OK, FAILED];
    const schedule = startSchedule({
      ...options,
      report: (failure) => reports.push(failure),
      invoke: async () => answers.shift() ?? OK,
    });
    await eventually(() =>
      expect(reports).toEqual(['Error: out of luck', undefined, 'Error: out of luck', undefined]),
    );
    await schedule.stop(1000);
  });

  it('waits for the running invocation when it is stopped, and starts no other', async () => {
    const started = Promise.withResolvers<void>();
    const hold = Promise.withResolvers<void>();
    let invocations = 0;
    const schedule = startSchedule({
      ...options,
      invoke: async () => {
        invocations += 1;
        started.resolve();
        await hold.promise;
        return OK;
      },
    });
    await started.promise;
    let stopped = false;
    const stop = schedule.stop(5000).then(() => {
      stopped = true;
    });
    expect(stopped).toBe(false);
    hold.resolve();
    await stop;
    expect(invocations).toBe(1);
  });
});
