import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { openJsonTerminal } from '../../dev/json-terminal.ts';
import { openProgress } from '../../dev/progress.ts';

function open() {
  const output = new PassThrough({ encoding: 'utf8' });
  const lines = (): unknown[] =>
    String(output.read() ?? '')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  const terminal = openJsonTerminal(output);
  return { terminal, progress: openProgress(terminal), lines };
}

describe('openJsonTerminal', () => {
  it('tells of the parts in the form of the log', () => {
    const { progress, lines } = open();
    progress.part('queue', { kind: 'ready', tookMs: 301.4, detail: 'http://127.0.0.1:4566' });
    progress.part('queue', { kind: 'gave up', how: 'ended with 1', lastLines: [] });
    expect(lines()).toMatchObject([
      { level: 'info', part: 'queue', state: 'ready', ms: 301, msg: 'http://127.0.0.1:4566' },
      { level: 'error', part: 'queue', state: 'failed', msg: 'ended with 1' },
    ]);
  });

  it('passes log lines on as they are, and no chatter', () => {
    const { progress, lines } = open();
    const entry = { level: 'warn', time: 'T', msg: 'left to the relay', taskIds: ['a'] };
    for (const line of ['starting ...', JSON.stringify(entry), JSON.stringify(entry)]) {
      progress.part('functions', { kind: 'line', line });
    }
    expect(lines()).toEqual([entry, entry]);
  });

  it('tells of a problem with its remedy', () => {
    const { terminal, lines } = open();
    terminal.heading('\nerrand\n');
    terminal.line('');
    terminal.problem('Port 3500 is taken.', 'Take another port.');
    expect(lines()).toMatchObject([
      { level: 'info', msg: 'errand' },
      { level: 'error', msg: 'Port 3500 is taken.', remedy: 'Take another port.' },
    ]);
  });
});
