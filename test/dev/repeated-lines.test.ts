import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { collapseRepeats } from '../../dev/repeated-lines.ts';

describe('collapseRepeats', () => {
  let written: string[];
  const open = () => collapseRepeats((text) => written.push(text), 1000);

  beforeEach(() => {
    vi.useFakeTimers();
    written = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('shows the first of its kind with its stack, and counts the others', () => {
    const lines = open();
    for (let nth = 1; nth <= 41; nth++) lines.show('down', `down (${nth})\n    at here`);
    expect(written).toEqual(['down (1)\n    at here']);

    vi.advanceTimersByTime(1000);
    expect(written.slice(1)).toEqual(['down (41) ... 40 more like this']);
  });

  it('writes once a period while the row goes on, and begins anew after a silent one', () => {
    const lines = open();
    lines.show('down', 'down');
    for (let period = 0; period < 3; period++) {
      lines.show('down', 'down');
      lines.show('down', 'down');
      vi.advanceTimersByTime(1000);
    }
    expect(written).toEqual(['down', ...Array(3).fill('down ... 2 more like this')]);

    vi.advanceTimersByTime(1000);
    lines.show('down', 'down again');
    expect(written.at(-1)).toBe('down again');
    expect(written).toHaveLength(5);
  });

  it('keeps kinds apart', () => {
    const lines = open();
    lines.show('down', 'down');
    lines.show('slow', 'slow');
    expect(written).toEqual(['down', 'slow']);
  });

  it('tells what it counted when it is asked to', () => {
    const lines = open();
    lines.show('down', 'down');
    lines.show('down', 'down');
    lines.flush();
    expect(written).toEqual(['down', 'down ... 1 more like this']);
  });
});
