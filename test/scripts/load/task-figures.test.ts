import { describe, expect, it } from 'vitest';
import type { FollowedTask } from '../../../scripts/load/followed-tasks.ts';
import { readTaskFigures } from '../../../scripts/load/task-figures.ts';

const BEGAN_AT = Date.parse('2026-11-01T12:00:00Z');
const at = (seconds: number | null) =>
  seconds === null ? null : new Date(BEGAN_AT + seconds * 1000).toISOString();

const aTask = (
  status: FollowedTask['status'],
  created: number,
  started: number | null,
  finished: number | null,
): FollowedTask => ({
  status,
  createdAt: at(created) ?? '',
  startedAt: at(started),
  finishedAt: at(finished),
});

const figuresOf = (...tasks: FollowedTask[]) =>
  readTaskFigures(tasks, { beganAt: BEGAN_AT, binMs: 1000 });

describe('the figures of tasks', () => {
  it('tell how many were queued and running at the end of each second', async () => {
    const { bins, created, started, backlog } = await figuresOf(
      aTask('succeeded', 0.1, 0.2, 2.5),
      aTask('failed', 0.3, 2.5, 3.1),
      aTask('queued', 1.5, null, null),
      aTask('cancelled', 1.6, null, 2.2),
      aTask('running', 2.8, 3.3, null),
    );
    expect(bins.map((bin) => [bin.created, bin.ended, bin.queued, bin.running])).toEqual([
      [2, 0, 1, 1],
      [2, 0, 3, 1],
      [1, 2, 2, 1],
      [0, 1, 1, 1],
    ]);
    expect([created, started, backlog]).toEqual([5, 3, 2]);
  });

  it('have the time from created to ended under when it was created, without the cancelled', async () => {
    const { bins, endToEndMs, waitMs, runMs, byStatus } = await figuresOf(
      aTask('succeeded', 0.5, 1.5, 3.5),
      aTask('cancelled', 0.5, 0.6, 0.7),
    );
    expect(bins[0]?.endToEndMs.max).toBeCloseTo(3000, -2);
    expect(bins[3]?.endToEndMs.max).toBeNull();
    expect(endToEndMs.p50).toBeCloseTo(3000, -1);
    expect(waitMs.max).toBeCloseTo(1000, -1);
    expect(runMs.max).toBeCloseTo(2000, -1);
    expect(byStatus).toMatchObject({ succeeded: 1, cancelled: 1 });
  });

  it('are all nothing where there are none', async () => {
    expect(await figuresOf()).toMatchObject({ created: 0, backlog: 0, bins: [] });
  });
});
