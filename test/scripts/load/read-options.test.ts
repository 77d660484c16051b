import { describe, expect, it } from 'vitest';
import { Failure } from '../../../scripts/failure.ts';
import { readOptions } from '../../../scripts/load/read-options.ts';

const read = (...args: string[]) => readOptions(args, {});

describe('the options of npm run load', () => {
  it('have a value each when nothing is given', () => {
    expect(read()).toEqual({
      plan: {
        url: 'http://localhost:3500',
        key: undefined,
        phases: [{ fromRate: 100, toRate: 100, seconds: 60 }],
        mix: 'default',
        maxOpen: 1000,
        timeoutSeconds: 30,
        drainSeconds: 60,
      },
      findMax: undefined,
      maxErrorsPercent: 0,
      out: undefined,
    });
  });

  it('take several rates, each for so long', () => {
    expect(read('--rates', '50, 400,0.5', '--seconds', '10').plan.phases).toEqual([
      { fromRate: 50, toRate: 50, seconds: 10 },
      { fromRate: 400, toRate: 400, seconds: 10 },
      { fromRate: 0.5, toRate: 0.5, seconds: 10 },
    ]);
  });

  it('take a ramp, up and down', () => {
    expect(read('--profile', 'ramp', '--rate', '30', '--seconds', '10').plan.phases).toEqual([
      { fromRate: 0, toRate: 30, seconds: 5 },
      { fromRate: 30, toRate: 0, seconds: 5 },
    ]);
  });

  it('take a search', () => {
    expect(read('--find-max', '--p99', '100').findMax).toEqual({ p99Ms: 100, firstRate: 20 });
    expect(read('--find-max', '--rate', '5').findMax).toEqual({ p99Ms: 250, firstRate: 5 });
  });

  it('take the key from the environment, and rather from the option', () => {
    const env = { ERRAND_API_KEY: 'errand_env' };
    expect(readOptions([], env).plan.key).toBe('errand_env');
    expect(readOptions(['--key', 'errand_x'], env).plan.key).toBe('errand_x');
    expect(readOptions([], { ERRAND_API_KEY: '' }).plan.key).toBeUndefined();
  });

  it.each([
    [['--rate', 'fast'], '--rate is "fast"; it must be a number from 0.1 to 100000.', '--rate 2'],
    [['--rate', '0'], '--rate is "0"; it must be a number from 0.1 to 100000.', '--rate 2'],
    [['--rate', '1e3'], '--rate is "1e3"; it must be a number', '--rate 2'],
    [['--rates', '50,,400'], '--rates is ""; it must be a number', '--rates 50,100,400,50'],
    [['--seconds', '-5'], "Option '--seconds' argument is ambiguous", '--help'],
    [['--seconds', '0'], '--seconds is "0"; it must be a number from 1 to 604800.', '--seconds 20'],
    [['--max-open', '1.5'], '--max-open is "1.5"; it must be a whole number', '--max-open 20'],
    [['--max-errors', '101'], '--max-errors is "101"; it must be a number from 0 to 100.', ''],
    [['--timeout', 'x'], '--timeout is "x"', '--timeout 20'],
    [['--drain', 'x'], '--drain is "x"', '--drain 1'],
    [
      ['--mix', 'all'],
      '--mix is "all", which is not known.',
      'default, create, read, wait, cancel',
    ],
    [['--profile', 'spike'], '--profile is "spike", which is not known.', 'steady, ramp'],
    [['--url', 'localhost:3500'], '--url is "localhost:3500", which is no http:// URL.', 'http://'],
    [['--out', 'run.svg'], '--out is "run.svg"; it must end in .json.', '--out run.json'],
    [['--p99', '100'], '--p99 is for --find-max.', '--find-max --p99 100'],
    [['--find-max', '--p99', '0'], '--p99 is "0"; it must be a number from 1 to 60000.', ''],
    [['--rates', '5', '--rate', '5'], '--rates and --rate contradict each other.', 'one of them'],
    [['--rates', '5', '--profile', 'ramp'], '--rates and --profile contradict each other.', ''],
    [['--rates', '5', '--find-max'], '--rates and --find-max contradict each other.', '--rate'],
    [['--profile', 'ramp', '--find-max'], '--profile and --find-max contradict each other.', ''],
    [['--speed', '5'], "Unknown option '--speed'.", '--help'],
    [['fast'], "Unexpected argument 'fast'.", '--help'],
  ])('refuse %j by name, and show what is right', (args, message, remedy) => {
    const refused = expect.objectContaining({
      message: expect.stringContaining(message),
      remedy: expect.stringContaining(remedy),
      exitCode: 2,
    });
    expect(() => read(...args)).toThrow(Failure);
    expect(() => read(...args)).toThrow(refused);
  });
});
