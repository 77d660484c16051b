import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { giveUpSignal } from '../lib/shutdown.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('giveUpSignal', () => {
  it('fires when the process is to end', () => {
    const shutdown = new AbortController();
    using giveUp = giveUpSignal(shutdown.signal, 1000);
    expect(giveUp.signal.aborted).toBe(false);
    shutdown.abort();
    expect(giveUp.signal.aborted).toBe(true);
  });

  it('has fired when the process is ending already', () => {
    using giveUp = giveUpSignal(AbortSignal.abort(), 1000);
    expect(giveUp.signal.aborted).toBe(true);
  });

  it('fires when the time is up', () => {
    using giveUp = giveUpSignal(new AbortController().signal, 1000);
    vi.advanceTimersByTime(999);
    expect(giveUp.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(giveUp.signal.aborted).toBe(true);
  });

  it('leaves nothing behind in a process that lives on', () => {
    const shutdown = new AbortController();
    {
      using _giveUp = giveUpSignal(shutdown.signal, 1000);
    }
    expect(getEventListeners(shutdown.signal, 'abort')).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});
