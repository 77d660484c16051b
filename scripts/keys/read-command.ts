import { parseArgs } from 'node:util';
import type { Tenant } from '../../lib/access/caller.ts';
import type { NewKey } from '../../lib/access/key-store.ts';
import { misused } from '../failure.ts';
import { readNewKey, readTenant, type Values } from './new-key-options.ts';
import { readSeconds } from './time-options.ts';

export type Command =
  | { readonly kind: 'create'; readonly tenant: Tenant; readonly key: Omit<NewKey, 'id'> }
  | { readonly kind: 'list'; readonly tenant: Tenant | undefined }
  | { readonly kind: 'revoke'; readonly id: string }
  | { readonly kind: 'rotate'; readonly id: string; readonly overlapSeconds: number };

/** The options that each command takes. */
const OPTIONS = {
  create: ['name', 'tenant', 'scopes', 'expires', 'per-minute', 'burst'],
  list: ['tenant'],
  revoke: [],
  rotate: ['overlap'],
} as const satisfies Record<Command['kind'], readonly string[]>;

/** @throws Failure that names the option and shows a right value */
export function readCommand(args: readonly string[]): { command: Command; json: boolean } {
  const [kind = '', ...rest] = args;
  if (!isKind(kind)) {
    throw misused(
      `There is no command "${kind}".`,
      `Known are: ${Object.keys(OPTIONS).join(', ')}. For example: npm run keys -- list`,
    );
  }
  const { values, positionals } = parse(kind, rest);
  const { json, ...texts } = values;
  return { command: toCommand(kind, texts as Values, positionals), json: json === true };
}

function isKind(name: string): name is Command['kind'] {
  return Object.hasOwn(OPTIONS, name);
}

function parse(kind: Command['kind'], args: string[]) {
  const texts = OPTIONS[kind].map((name) => [name, { type: 'string' }] as const);
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { ...Object.fromEntries(texts), json: { type: 'boolean' } },
    });
  } catch (error) {
    // Its further sentences are about positional arguments that begin with a dash.
    const [first = ''] = (error as Error).message.split('. ');
    const known = [...OPTIONS[kind], 'json'].map((name) => `--${name}`);
    throw misused(`${first.replace(/\.$/, '')}.`, `"${kind}" takes: ${known.join(', ')}`);
  }
}

function toCommand(kind: Command['kind'], values: Values, positionals: string[]): Command {
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
