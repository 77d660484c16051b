import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openProgress } from '../../dev/progress.ts';
import { openTerminal } from '../../dev/terminal.ts';

function open() {
  const output = new PassThrough({ encoding: 'utf8' });
  const terminal = openTerminal(output as unknown as NodeJS.WriteStream, {});
  return { progress: openProgress(terminal), written: (): string => output.read() ?? '' };
}

const crashed = (lastLines: string[]) =>
  ({ kind: 'crashed', how: 'was ended by SIGKILL', restartInMs: 250, lastLines }) as const;

describe('openProgress', () => {
  it('shows the last lines of a part that crashed', () => {
    const { progress, written } = open();
    progress.part('functions', crashed(['no such option', '']));
    expect(written()).toBe(
      '  functions    restarts          was ended by SIGKILL; starting it again in 0.25 s\n' +
        '\n  Its last lines\n    no such option\n',
    );
  });

  it.each([[[]], [['', ' ']]])('has no heading for last lines %j', (lastLines) => {
    const { progress, written } = open();
    progress.part('functions', crashed(lastLines));
    expect(written()).not.toContain('Its last lines');
  });

  it('shows one line for requests that fail alike, and every line of another kind', () => {
    const { progress, written } = open();
    const log = (entry: object) =>
      progress.part('functions', {
        kind: 'line',
        line: JSON.stringify({ time: '2026-11-25T12:01:02.345Z', ...entry }),
      });
    for (const requestId of ['6f2b-1', '6f2b-2', '6f2b-3']) {
      log({
        level: 'warn',
        requestId,
        cause: 'connect ECONNREFUSED ::1:5432',
        msg: 'No database.',
      });
      log({ level: 'info', requestId, msg: 'task settled' });
    }
    progress.stopping();
    const lines = written().trimEnd().split('\n');
    expect(lines.filter((line) => line.includes('task settled'))).toHaveLength(3);
    expect(lines.filter((line) => line.includes('No database.'))).toEqual([
      expect.stringMatching(/^ {2}12:01:02 warn +No database\. requestId=6f2b-1 cause=/),
      expect.stringMatching(/requestId=6f2b-3 .* \.\.\. 2 more like this$/),
    ]);
  });
});
