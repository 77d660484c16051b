import { describe, expect, it } from 'vitest';
import { formatLogLine } from '../../dev/log-line.ts';
import type { Paint } from '../../dev/terminal.ts';

describe('formatLogLine', () => {
  const plain: Paint = (_colour, text) => text;
  const format = (entry: unknown) => formatLogLine(JSON.stringify(entry), plain);
  const entry = { level: 'info', time: '2026-11-25T12:01:02.345Z', msg: 'task settled' };

  it('shows time, level, message and fields', () => {
    expect(format({ ...entry, taskId: 'a-b', exitCode: 0 })).toBe(
      '12:01:02 info  task settled taskId=a-b exitCode=0',
    );
  });

  it('quotes a value with spaces', () => {
    expect(format({ ...entry, reason: 'out of luck' })).toBe(
      '12:01:02 info  task settled reason="out of luck"',
    );
  });

  it('shows an error with its stack below', () => {
    const err = { type: 'Error', message: 'alas', stack: 'Error: alas\n    at here' };
    expect(format({ ...entry, level: 'error', err })).toBe(
      '12:01:02 error task settled\n    Error: alas\n        at here',
    );
  });

  it.each(['', 'GET /api/tasks (λ: list-tasks)', '{"not": "a log line"}', '{"broken', '[1]'])(
    'does not take %j for a log line',
    (line) => {
      expect(formatLogLine(line, plain)).toBeUndefined();
    },
  );
});
