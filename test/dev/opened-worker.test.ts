import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { startWhenOpen } from '../../dev/opened-worker.ts';
import { eventually } from '../support/eventually.ts';

const refuses = { payload: '{"errorMessage":"nothing holds here"}', failed: true };
const opens = { payload: '{"batchItemFailures":[]}', failed: false };

/** A mapping that is only counted. */
function counted() {
  const counts = { started: 0, stopped: 0 };
  const start = () => {
    counts.started += 1;
    return {
      async stop() {
        counts.stopped += 1;
      },
    };
  };
  return { counts, start };
}

describe('startWhenOpen', () => {
  test('starts polling once the function took an empty batch', async () => {
    const { counts, start } = counted();
    const events: unknown[] = [];
    const mapping = startWhenOpen(
      async (event) => {
        events.push(event);
        return opens;
      },
      start,
      () => expect.unreachable('nothing was refused'),
    );
    await eventually(() => expect(counts.started).toBe(1));
    await mapping.stop(1000);
    expect(events).toEqual([{ Records: [] }]);
    expect(counts.stopped).toBe(1);
  });

  test('leaves the messages alone while the function refuses, and says why once', async () => {
    const { counts, start } = counted();
    const answers = [refuses, refuses, opens];
    const reports: (string | undefined)[] = [];
    const mapping = startWhenOpen(
      async () => answers.shift() ?? opens,
      start,
      (refusal) => reports.push(refusal),
    );
    await eventually(() => expect(counts.started).toBe(1), 15_000);
    await mapping.stop(1000);
    expect(reports).toEqual(['nothing holds here', undefined]);
  });

  test('stops while the function still refuses', async () => {
    const { counts, start } = counted();
    let asked = 0;
    const mapping = startWhenOpen(
      async () => {
        asked += 1;
        return refuses;
      },
      start,
      () => {},
    );
    await eventually(() => expect(asked).toBe(1));
    await mapping.stop(1000);
    await turn();
    expect({ asked, ...counts }).toEqual({ asked: 1, started: 0, stopped: 0 });
  });
});
