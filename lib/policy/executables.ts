import {
  type Command,
  forEachChild,
  type Pipeline,
  parse,
  type SyntaxNode,
  type Word,
} from 'unbash';
import { isExpandedByShell } from './expanded-variables.ts';
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

/** Reading all of it would hold up whoever else is served. */
export class TooComplex extends Error {
  override readonly name = 'TooComplex';
}

/** A command in a command in a command: nobody needs more of them. */
const MAX_DEPTH = 16;
/** Nodes of the grammar, and words of commands within commands. No honest 64 KiB have so many. */
const MAX_PARTS = 100_000;
/** The grammar takes time that grows with their square: 10 ms for so many, 0.4 s in 64 KiB of them. */
const MAX_HERE_DOCUMENTS = 1000;

/**
 * Syntax of bash that `sh` (dash) does not have, and takes for something else: `((curl x))` is
 * arithmetic to the one and a subshell that runs curl to the other.
 */
const NOT_OF_SH = new Map<SyntaxNode['type'], string>([
  ['ArithmeticCommand', '((...)) as a command'],
  ['ArithmeticFor', 'for ((...))'],
  ['ArrayValue', 'arrays, name=(...)'],
  ['AnsiCQuoted', "$'...' quotes"],
  ['BraceExpansion', 'brace expansion, {a,b}'],
  ['Coproc', 'coproc'],
  ['ExtendedGlob', 'extended patterns, as in @(a|b)'],
  ['FileDescriptorVariable', '{name}> redirections'],
  ['HereString', 'here-strings, <<<'],
  ['LocaleString', '$"..." quotes'],
  ['ProcessSubstitution', 'process substitution, <(...)'],
  ['Select', 'select loops'],
  ['TestCommand', '[[...]]'],
]);

/** All executables that a shell text names, wherever in it. @throws Unparseable, TooComplex */
export function executablesOfShell(text: string): Executable[] {
  const reading = new Reading();
  reading.shell(text, 0);
  return reading.found;
}

/**
 * All executables that an argument vector names: its first, and what that is known to run.
 * @throws Unparseable, TooComplex
 */
export function executablesOfArgv(argv: readonly string[]): Executable[] {
  const reading = new Reading();
  reading.words(argv, 0);
  return reading.found;
}

/** One command being read, with all that it runs: however they are nested, they share one budget. */
class Reading {
  readonly found: Executable[] = [];
  #parts = 0;

  shell(text: string, depth: number): void {
    if (hereDocumentsIn(text) > MAX_HERE_DOCUMENTS) {
      throw new TooComplex(`it has more than ${MAX_HERE_DOCUMENTS} here-documents`);
    }
    this.#visit(parse(text), depth, false);
  }

  /** A command of words; those that are not known are undefined. */
  words([name, ...args]: readonly (string | undefined)[], depth: number): void {
    this.#count(1 + args.length);
    this.found.push({ kind: 'named', name: name ?? '' });
    this.#runBy(name ?? '', args, depth);
  }

  /** `expanded`: what stands there is substituted once more, also within single quotes. */
  #visit(node: SyntaxNode, depth: number, expanded: boolean): void {
    this.#count(1);
    refuseOtherShells(node, expanded);
    if (node.type === 'Script' && node.errors && node.errors.length > 0) {
      throw new Unparseable(node.errors[0]?.message ?? 'it is malformed');
    }
    if (node.type === 'Command') this.#command(node, depth);
    const expandedByShell = setsExpanded(node);
    if (expandedByShell) this.found.push({ kind: 'dynamic', text: expandedByShell });
    if (node.type === 'Time') this.found.push({ kind: 'named', name: 'time' });
    if (node.type === 'Pipeline') refuseOptionsOfTime(node);
    const within =
      node.type === 'HereDocBody' ||
      node.type === 'ArithmeticExpansion' ||
      (expanded && node.type !== 'Script');
    forEachChild(node, (child) => this.#visit(child, depth, within));
  }

  #command({ name, args }: Command, depth: number): void {
    if (!name) return;
    const known = staticText(name);
    if (known === undefined) {
      this.found.push({ kind: 'dynamic', text: name.text });
      return;
    }
    const words = args.map((arg) => (arg.type === 'Word' ? staticText(arg) : arg.text));
    this.words([known, ...words], depth);
  }

  /** What an executable runs of its arguments. */
  #runBy(name: string, args: readonly (string | undefined)[], depth: number): void {
    for (const inner of commandsWithin(name, args)) {
      if (depth === MAX_DEPTH) throw new Unparseable('it runs a command by a command too often');
      if (inner.kind === 'unknown') this.found.push({ kind: 'dynamic', text: inner.text });
      else if (inner.kind === 'shell') this.shell(inner.text, depth + 1);
      else if (inner.words[0] !== undefined) this.words(inner.words, depth + 1);
      else this.found.push({ kind: 'dynamic', text: `${name} ...` });
    }
  }

  #count(parts: number): void {
    this.#parts += parts;
    if (this.#parts > MAX_PARTS) throw new TooComplex(`it has more than ${MAX_PARTS} parts`);
  }
}

function hereDocumentsIn(text: string): number {
  return text.split('<<').length - 1;
}

/** Assignments to what a shell expands by itself, other than by `name=value` in front of a command. */
function setsExpanded(node: SyntaxNode): string | undefined {
  if (node.type === 'Assignment' && isExpandedByShell(node.name)) return node.text;
  if (node.type === 'For' && isExpandedByShell(node.name.value)) return node.name.value;
  if (node.type !== 'ParameterExpansion' || !isExpandedByShell(node.parameter)) return undefined;
  return node.operation?.operator.endsWith('=') ? node.text : undefined;
}

function refuseOtherShells(node: SyntaxNode, expanded: boolean): void {
  const what = NOT_OF_SH.get(node.type) ?? otherShellsRedirection(node);
  if (what !== undefined) throw new Unparseable(`sh has no ${what}: that is for other shells`);
  if (expanded && node.type === 'SingleQuoted') {
    throw new Unparseable(
      'sh substitutes within single quotes in arithmetic and here-documents, as other shells do not',
    );
  }
}

function otherShellsRedirection(node: SyntaxNode): string | undefined {
  if (node.type === 'Redirect' && node.operator.startsWith('&>')) return '&> redirections';
  if (node.type === 'Pipeline' && node.operators.includes('|&')) return '|& pipelines';
  if (node.type !== 'CaseItem' || (node.terminator ?? ';;') === ';;') return undefined;
  return `${node.terminator} in case`;
}

/** To `sh`, `time` is a program like any other, and `-f x` are its options: not so to bash. */
function refuseOptionsOfTime({ prefixes, commands: [timed] }: Pipeline): void {
  if (!prefixes.some(({ type }) => type === 'Time')) return;
  const name = timed?.type === 'Command' ? timed.name?.value : undefined;
  if (name === undefined || name.startsWith('-')) {
    throw new Unparseable('sh takes time for a program, with a command and no options before it');
  }
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
