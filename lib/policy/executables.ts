import {
  type Command,
  forEachChild,
  type Pipeline,
  parse,
  type SyntaxNode,
  type Word,
} from 'unbash';
import { commandsWithin } from './wrappers.ts';

/** What a command runs, as far as its text tells. */
export type Executable =
  | { readonly kind: 'named'; readonly name: string }
  /** Known only once it runs: `$X`, or what a file or a variable holds. */
  | { readonly kind: 'dynamic'; readonly text: string };

/** The text is no shell command that can be read, or not one that `sh` reads as we do. */
export class Unparseable extends Error {
  override readonly name = 'Unparseable';
}

/** A command in a command in a command: nobody needs more of them. */
const MAX_DEPTH = 16;

/**
 * Syntax of bash that `sh` (dash) does not have, and takes for something else: `((curl x))` is
 * arithmetic to the one and a subshell that runs curl to the other.
 */
const NOT_OF_SH = new Set<SyntaxNode['type']>([
  'ArithmeticCommand',
  'ArithmeticFor',
  'ArrayValue',
  'AnsiCQuoted',
  'BraceExpansion',
  'Coproc',
  'ExtendedGlob',
  'FileDescriptorVariable',
  'HereString',
  'LocaleString',
  'ProcessSubstitution',
  'Select',
  'TestCommand',
]);

/** Variables whose value the shell itself expands, and so runs what it substitutes: as `set -x` does. */
const PROMPTS = new Set(['PS1', 'PS2', 'PS4', 'ENV', 'BASH_ENV', 'PROMPT_COMMAND']);

/** All executables that a shell text names, wherever in it. @throws Unparseable */
export function executablesOfShell(text: string, depth = 0): Executable[] {
  const found: Executable[] = [];
  visit(parse(text), found, depth);
  return found;
}

/** All executables that an argument vector names: its first, and what that is known to run. */
export function executablesOfArgv(argv: readonly string[], depth = 0): Executable[] {
  const [name = '', ...args] = argv;
  return [{ kind: 'named', name }, ...runBy(name, args, depth)];
}

function visit(node: SyntaxNode, found: Executable[], depth: number): void {
  refuseOtherShells(node);
  if (node.type === 'Script' && node.errors && node.errors.length > 0) {
    throw new Unparseable(node.errors[0]?.message ?? 'it is malformed');
  }
  if (node.type === 'Command') found.push(...executablesOfCommand(node, depth));
  if (node.type === 'Assignment' && PROMPTS.has(node.name)) {
    found.push({ kind: 'dynamic', text: node.text });
  }
  if (node.type === 'Time') found.push({ kind: 'named', name: 'time' });
  if (node.type === 'Pipeline') refuseOptionsOfTime(node);
  forEachChild(node, (child) => visit(child, found, depth));
}

function refuseOtherShells(node: SyntaxNode): void {
  const bashOnly =
    NOT_OF_SH.has(node.type) ||
    (node.type === 'Redirect' && node.operator.startsWith('&>')) ||
    (node.type === 'Pipeline' && node.operators.includes('|&')) ||
    (node.type === 'CaseItem' && node.terminator !== ';;' && node.terminator !== undefined);
  if (bashOnly) throw new Unparseable(`sh does not know ${node.type} as bash does`);
}

/** To `sh`, `time` is a program like any other, and `-f x` are its options: not so to bash. */
function refuseOptionsOfTime({ prefixes, commands: [timed] }: Pipeline): void {
  if (!prefixes.some(({ type }) => type === 'Time')) return;
  const name = timed?.type === 'Command' ? timed.name?.value : undefined;
  if (name === undefined || name.startsWith('-')) {
    throw new Unparseable('sh does not know time as bash does');
  }
}

function executablesOfCommand({ name, args }: Command, depth: number): Executable[] {
  if (!name) return [];
  const known = staticText(name);
  if (known === undefined) return [{ kind: 'dynamic', text: name.text }];
  const words = args.map((arg) => (arg.type === 'Word' ? staticText(arg) : arg.text));
  return [{ kind: 'named', name: known }, ...runBy(known, words, depth)];
}

/** What an executable runs of its arguments; those that are not known are undefined. */
function runBy(name: string, args: readonly (string | undefined)[], depth: number): Executable[] {
  return commandsWithin(name, args).flatMap((inner): Executable[] => {
    if (depth === MAX_DEPTH) throw new Unparseable('it runs a command by a command too often');
    if (inner.kind === 'unknown') return [{ kind: 'dynamic', text: inner.text }];
    if (inner.kind === 'shell') return executablesOfShell(inner.text, depth + 1);
    const [innerName, ...innerArgs] = inner.words;
    if (innerName === undefined || innerName === '{}') {
      return [{ kind: 'dynamic', text: `${name} ...` }];
    }
    return [{ kind: 'named', name: innerName }, ...runBy(innerName, innerArgs, depth + 1)];
  });
}

/** What a word is whatever happens; undefined when it depends on a variable, a file or a user. */
function staticText({ value, text, parts = [] }: Word): string | undefined {
  if (text.startsWith('~')) return undefined;
  return parts.every(isStatic) ? value : undefined;
}

function isStatic(part: NonNullable<Word['parts']>[number]): boolean {
  if (part.type === 'DoubleQuoted') return part.parts.every(({ type }) => type === 'Literal');
  return part.type === 'Literal' || part.type === 'SingleQuoted';
}
