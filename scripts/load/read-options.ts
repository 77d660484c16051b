import { parseArgs } from 'node:util';
import { misused } from '../failure.ts';
import type { Phase } from './arrivals.ts';
import { MIXES, type MixName } from './mixes.ts';
import type { Plan } from './run-load.ts';

export interface Options {
  /** Without `findMax` the load to send; with it, what each step has in common. */
  readonly plan: Plan;
  readonly findMax: { readonly p99Ms: number; readonly firstRate: number } | undefined;
  readonly maxErrorsPercent: number;
  /** Undefined: a name of its own. */
  readonly out: string | undefined;
}

const TEXTS = [
  ...['url', 'key', 'rate', 'seconds', 'profile', 'rates', 'mix', 'p99'],
  ...['max-open', 'timeout', 'drain', 'max-errors', 'out'],
];

type Values = Readonly<Record<string, string | undefined>>;

/** @throws Failure that names the option and shows a right value */
export function readOptions(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Options {
  const { 'find-max': searches, ...texts } = parse(args);
  const values = texts as Values;
  refuseContradictions(values, searches === true);
  return {
    plan: {
      url: readUrl(values.url ?? 'http://localhost:3500'),
      key: values.key ?? (env.ERRAND_API_KEY || undefined),
      phases: readPhases(values, searches ? 15 : 60),
      mix: readOneOf('mix', values.mix ?? 'default', Object.keys(MIXES) as MixName[]),
      maxOpen: readNumber('max-open', values['max-open'] ?? '1000', WHOLE, [1, 20_000]),
      timeoutSeconds: readNumber('timeout', values.timeout ?? '30', ANY, [1, 600]),
      drainSeconds: readNumber('drain', values.drain ?? '60', ANY, [0, 86_400]),
    },
    findMax: searches
      ? {
          p99Ms: readNumber('p99', values.p99 ?? '250', ANY, [1, 60_000]),
          firstRate: readRate('rate', values.rate ?? '20'),
        }
      : undefined,
    maxErrorsPercent: readNumber('max-errors', values['max-errors'] ?? '0', ANY, [0, 100]),
    out: values.out === undefined ? undefined : readOut(values.out),
  };
}

function parse(args: readonly string[]) {
  const texts = TEXTS.map((name) => [name, { type: 'string' }] as const);
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { ...Object.fromEntries(texts), 'find-max': { type: 'boolean' } },
    });
    return values;
  } catch (error) {
    // Its further sentences are about positional arguments that begin with a dash.
    const [first = ''] = (error as Error).message.split('. ');
    throw misused(`${first.replace(/\.$/, '')}.`, 'See npm run load -- --help');
  }
}

function refuseContradictions(values: Values, searches: boolean): void {
  const pairs: readonly (readonly [string, boolean, string, string])[] = [
    ['rates', values.profile !== undefined, 'profile', 'Give one of them.'],
    ['rates', values.rate !== undefined, 'rate', 'Give one of them.'],
    ['rates', searches, 'find-max', 'It finds the rates by itself; --rate says where it begins.'],
    ['profile', searches, 'find-max', 'Each of its steps has one rate.'],
  ];
  for (const [option, other, name, remedy] of pairs) {
    if (values[option] !== undefined && other) {
      throw misused(`--${option} and --${name} contradict each other.`, remedy);
    }
  }
  if (values.p99 !== undefined && !searches) {
    throw misused('--p99 is for --find-max.', `For example: --find-max --p99 ${values.p99}`);
  }
}

function readPhases(values: Values, usualSeconds: number): Phase[] {
  const text = values.seconds ?? String(usualSeconds);
  const seconds = readNumber('seconds', text, ANY, [1, 7 * 86_400]);
  if (values.rates !== undefined) {
    return values.rates
      .split(',')
      .map((rate) => readRate('rates', rate.trim()))
      .map((rate) => ({ fromRate: rate, toRate: rate, seconds }));
  }
  const rate = readRate('rate', values.rate ?? '100');
  const profile = readOneOf('profile', values.profile ?? 'steady', ['steady', 'ramp'] as const);
  if (profile === 'steady') return [{ fromRate: rate, toRate: rate, seconds }];
  return [
    { fromRate: 0, toRate: rate, seconds: seconds / 2 },
    { fromRate: rate, toRate: 0, seconds: seconds / 2 },
  ];
}

function readRate(option: string, text: string): number {
  return readNumber(option, text, ANY, [0.1, 100_000]);
}

const WHOLE = /^\d{1,9}$/;
const ANY = /^\d{1,9}(\.\d{1,6})?$/;

function readNumber(
  option: string,
  text: string,
  form: RegExp,
  [least, most]: readonly [number, number],
): number {
  const number = Number(text);
  if (form.test(text) && number >= least && number <= most) return number;
  const what = form === WHOLE ? 'whole number' : 'number';
  const example = option === 'rates' ? '50,100,400,50' : String(Math.min(most, least * 20 || 1));
  throw misused(
    `--${option} is "${text}"; it must be a ${what} from ${least} to ${most}.`,
    `For example: --${option} ${example}`,
  );
}

function readOneOf<T extends string>(option: string, text: string, known: readonly T[]): T {
  const found = known.find((name) => name === text);
  if (found !== undefined) return found;
  throw misused(`--${option} is "${text}", which is not known.`, `Known are: ${known.join(', ')}`);
}

function readUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text;
  throw misused(
    `--url is "${text}", which is no http:// URL.`,
    'For example: --url http://localhost:3500',
  );
}

/** The picture lies beside it, under the same name. */
function readOut(path: string): string {
  if (path.endsWith('.json')) return path;
  throw misused(`--out is "${path}"; it must end in .json.`, 'For example: --out run.json');
}
