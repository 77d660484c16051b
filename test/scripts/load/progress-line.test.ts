import { describe, expect, it } from 'vitest';
import { openProgressLine } from '../../../scripts/load/progress-line.ts';

function written(isTTY: boolean, columns = 20) {
  let text = '';
  const output = { isTTY, columns, write: (more: string) => (text += more) };
  return { line: openProgressLine(output as unknown as NodeJS.WriteStream), text: () => text };
}

describe('the line of progress', () => {
  it('is one line on a terminal, no longer than that, and goes away', () => {
    const { line, text } = written(true);
    line.show('1 s, sending', 1);
    line.show('2 s, sending more than fits', 2);
    line.clear();
    expect(text()).toBe('\r\x1b[K1 s, sending\r\x1b[K2 s, sending more t\r\x1b[K');
  });

  it('is a line every ten seconds elsewhere, and begins anew with the seconds', () => {
    const { line, text } = written(false);
    for (const seconds of [0, 1, 9, 10, 12, 21, 0, 1]) line.show(`${seconds} s`, seconds);
    line.clear();
    expect(text()).toBe('0 s\n10 s\n21 s\n0 s\n');
  });
});
