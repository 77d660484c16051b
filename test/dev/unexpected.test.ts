import { describe, expect, it } from 'vitest';
import { runModule } from './run-module.ts';

const MODULE = JSON.stringify(new URL('../../dev/unexpected.ts', import.meta.url).href);

describe('untilUnexpected', () => {
  it.each([
    ['a rejection that nobody handles', `Promise.reject(new Error('alas'));`],
    ['an error that nobody catches', `setTimeout(() => { throw new Error('alas'); });`],
  ])('hears of %s, so that the process can end its own way', async (_what, mistake) => {
    const { code, output } = await runModule(`
      import { untilUnexpected } from ${MODULE};
      const unexpected = untilUnexpected();
      ${mistake}
      const error = await unexpected;
      console.log(error.message.split('\\n')[0]);
      Promise.reject(new Error('one more'));
      setTimeout(() => process.exit(7), 50);
    `);
    expect(output).toBe('A mistake in errand: Error: alas\n');
    expect(code).toBe(7);
  });
});
