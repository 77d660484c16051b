import { parseArgs } from 'node:util';
import type { KeyCommand } from '../../lib/access/key-command.ts';
import { misused } from '../failure.ts';
import { readNewKey, readTenant, type Values } from './new-key-options.ts';
import { readSeconds } from './time-options.ts';

/** Where the keys are; undefined for a database that is reached from here. */
export interface Deployed {
  readonly stage: string;
  readonly region: string;
}

export interface CommandLine {
  readonly command: KeyCommand;
  readonly json: boolean;
  readonly deployed: Deployed | undefined;
}

type Kind = Exclude<KeyCommand['kind'], 'first'>;

/** The options that each command takes. */
const OPTIONS = {
  create: ['name', 'tenant', 'scopes', 'expires', 'per-minute', 'burst'],
  list: ['tenant'],
  revoke: [],
  rotate: ['overlap'],
} as const satisfies Record<Kind, readonly string[]>;

const WHERE = ['stage', 'region'] as const;

type Env = Readonly<Record<string, string | undefined>>;

/** @throws Failure that names the option and shows a right value */
export function readCommand(args: readonly string[], env: Env): CommandLine {
  const [kind = '', ...rest] = args;
  if (!isKind(kind)) {
    throw misused(
      `There is no command "${kind}".`,
      `Known are: ${Object.keys(OPTIONS).join(', ')}. For example: npm run keys -- list`,
    );
  }
  const { values, positionals } = parse(kind, rest);
  const { json, ...texts } = values;
  const { stage, region, ...own } = texts as Values;
  return {
    command: toCommand(kind, own, positionals),
    json: json === true,
    deployed: readDeployed({ stage, region }, env),
  };
}

/** A region says where a stage is, so it is nothing without one. */
function readDeployed({ stage, region }: Values, env: Env): Deployed | undefined {
  if (stage !== undefined) return { stage, region: region ?? (env.AWS_REGION || 'us-east-1') };
  if (region === undefined) return undefined;
  throw misused('--region is given without --stage.', 'For example: --stage prod');
}

function isKind(name: string): name is Kind {
  return Object.hasOwn(OPTIONS, name);
}

function parse(kind: Kind, args: string[]) {
  const texts = [...OPTIONS[kind], ...WHERE].map((name) => [name, { type: 'string' }] as const);
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { ...Object.fromEntries(texts), json: { type: 'boolean' } },
    });
  } catch (error) {
    // Its further sentences are about positional arguments that begin with a dash.
    const [first = ''] = (error as Error).message.split('. ');
    const known = [...OPTIONS[kind], ...WHERE, 'json'].map((name) => `--${name}`);
    throw misused(`${first.replace(/\.$/, '')}.`, `"${kind}" takes: ${known.join(', ')}`);
  }
}

function toCommand(kind: Kind, values: Values, positionals: string[]): KeyCommand {
  const takesId = kind === 'revoke' || kind === 'rotate';
  const [surplus] = positionals.slice(takesId ? 1 : 0);
  if (surplus !== undefined) {
    throw misused(`"${surplus}" is one word too many.`, 'Put values with spaces into quotes.');
  }
  switch (kind) {
    case 'create':
      return { kind, tenant: readTenant(values.tenant ?? 'default'), key: readNewKey(values) };
    case 'list':
      return { kind, tenant: values.tenant === undefined ? undefined : readTenant(values.tenant) };
    case 'revoke':
      return { kind, id: readId(kind, positionals[0]) };
    case 'rotate': {
      const overlapSeconds = readSeconds('overlap', values.overlap ?? '0s', 30 * 86_400);
      return { kind, id: readId(kind, positionals[0]), overlapSeconds };
    }
  }
}

/** As it is listed, or as it is in the key, of which no more than that is looked at. */
const ID =
  /^(?:errand_)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})/;

function readId(kind: string, text: string | undefined): string {
  const [matched, ...parts] = ID.exec(text ?? '') ?? [];
  const rest = text?.slice(matched?.length) ?? '';
  if (matched !== undefined && (rest === '' || rest.startsWith('_'))) return parts.join('-');
  throw misused(
    text === undefined ? 'The id of the key is missing.' : `"${text}" is not the id of a key.`,
    `"npm run keys -- list" shows the ids. Then: npm run keys -- ${kind} ID`,
  );
}
