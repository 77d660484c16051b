import { type Args, afterOptions, type Options } from './command-options.ts';
import { setsExpandedByShell } from './expanded-variables.ts';

/** What an executable runs of its arguments. */
export type Inner =
  /** Another command; an unknown first word is undefined. */
  | { readonly kind: 'words'; readonly words: readonly (string | undefined)[] }
  /** A shell text. */
  | { readonly kind: 'shell'; readonly text: string }
  | { readonly kind: 'unknown'; readonly text: string };

type Read = (name: string, args: Args) => Iterable<Inner>;

/**
 * The commands within a command: what `env`, `xargs`, `sh -c` and their like run. A program that can
 * run anything and is not here (an interpreter, an editor) runs what it likes, and is to be allowed
 * or not as such.
 */
export function commandsWithin(name: string, args: Args): Iterable<Inner> {
  return WRAPPERS.get(basename(name))?.(name, args) ?? [];
}

function basename(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1);
  return base.startsWith('ld-linux') ? 'ld.so' : base;
}

interface PrefixShape extends Options {
  /** Words before the command: the duration of `timeout`. */
  readonly skip?: number;
  /** `name=value` may stand before the command. */
  readonly assigns?: boolean;
  /** Runs something also when no command is given. */
  readonly otherwise?: Inner;
}

/** Runs the rest of its arguments, after options of its own. */
function prefix({ skip = 0, assigns = false, otherwise, ...options }: PrefixShape): Read {
  return (name, args) => {
    let at = afterOptions(args, options);
    if (at === undefined) return unknown(name, args);
    if (assigns && args[at] === '-') at += 1; // To env, that is `-i`.
    for (; assigns && args[at]?.includes('='); at++) {
      if (setsExpandedByShell(args[at] ?? '')) return unknown(name, args);
    }
    const words = args.slice(at + skip);
    if (words.length > 0) return [{ kind: 'words', words }];
    return otherwise ? [otherwise] : [];
  };
}

/**
 * A shell: `-c`, further options, and a text. Else it reads a file, or its input (also with `-s`),
 * of which nobody knows what it holds; and with `-i` and `-l` what its environment names.
 */
function shell(name: string, args: Args): readonly Inner[] {
  let isText = false;
  for (let at = 0; at < args.length; at++) {
    const arg = args[at];
    if (arg === undefined) break;
    if (/^[-+]./.test(arg) && arg !== '--') {
      if (!/^(-[abCcefhmnuvx]*o?|\+[abCefhmnuvx]*o?)$/.test(arg)) break;
      isText ||= arg.startsWith('-') && arg.includes('c');
      // The name of an option follows.
      if (arg.endsWith('o') && args[++at] === undefined) break;
      continue;
    }
    const text = arg === '--' || arg === '-' ? args[at + 1] : arg;
    if (!isText || text === undefined) break;
    return [{ kind: 'shell', text }];
  }
  return unknown(name, args);
}

/** Joins its arguments, and runs them as a shell text. */
function evaluate(name: string, args: Args): readonly Inner[] {
  if (args.includes(undefined)) return unknown(name, args);
  return [{ kind: 'shell', text: args.join(' ') }];
}

/** `trap 'commands' SIGNAL`: its first argument is run later. */
function trap(name: string, args: Args): readonly Inner[] {
  const [first] = args[0] === '--' ? args.slice(1) : args;
  if (args.length === 0 || first === '-' || first === '') return [];
  return evaluate(name, [first]);
}

/**
 * `find ... -exec command ;`, as often as it says so. What looks like `-exec` may be the argument of
 * something else, so each one counts. In place of `{}` there will be names of files.
 */
function* find(name: string, args: Args): Generator<Inner> {
  const words = args.map((arg) => (arg?.includes('{}') ? undefined : arg));
  const ends = endsOfExec(args);
  for (const [at, arg] of args.entries()) {
    if (arg !== undefined && !/^-(exec|execdir|ok|okdir)$/.test(arg)) continue;
    const end = ends[at + 1];
    if (arg === undefined || end === undefined) {
      yield* unknown(name, args);
      return;
    }
    yield { kind: 'words', words: words.slice(at + 1, end) };
  }
}

/** For each argument, where a command that begins there ends: at `;`, or at the `+` of `{} +`. */
function endsOfExec(args: Args): (number | undefined)[] {
  const ends: (number | undefined)[] = Array(args.length).fill(undefined);
  for (let at = args.length - 1; at >= 0; at--) {
    const isEnd = args[at] === ';' || (args[at] === '+' && args[at - 1] === '{}');
    ends[at] = isEnd ? at : ends[at + 1];
  }
  return ends;
}

/** What it runs gets further words from its input, or in place of parts of them (`-I`). */
function* xargs(name: string, args: Args): Generator<Inner> {
  const replaces = args.some((arg) => arg !== undefined && /^-\w*[Ii]|^--replace/.test(arg));
  for (const inner of readXargs(name, args)) {
    if (inner.kind !== 'words') yield inner;
    else if (!replaces) yield { kind: 'words', words: [...inner.words, undefined] };
    else if (!/^[\w./-]+$/.test(inner.words[0] ?? '')) yield* unknown(name, args);
    else
      yield {
        kind: 'words',
        words: [inner.words[0], ...inner.words.slice(1).map(() => undefined)],
      };
  }
}

const readXargs = prefix({
  taking: 'InPLsdEa',
  flags: '0rtpxo',
  long: ['null', 'no-run-if-empty', 'verbose', 'interactive', 'exit', 'max-lines', 'replace'],
  longTaking: ['max-args', 'max-procs', 'max-chars', 'delimiter', 'arg-file'],
  otherwise: { kind: 'words', words: ['echo'] },
});

/** Runs something, and only it knows what. */
function unknown(name: string, args: Args): readonly Inner[] {
  return [{ kind: 'unknown', text: [name, ...args.map((arg) => arg ?? '...')].join(' ') }];
}

/** Sets variables: also such as a shell expands by itself. */
function declare(name: string, args: Args): readonly Inner[] {
  const isHarmless = args.every((arg) => arg !== undefined && !setsExpandedByShell(arg));
  return isHarmless ? [] : unknown(name, args);
}

/** Runs nothing, unless an option (or an abbreviation of it) asks for that. */
function unlessOption(pattern: RegExp): Read {
  return (name, args) =>
    args.some((arg) => arg !== undefined && pattern.test(arg)) ? unknown(name, args) : [];
}

/** `command -v name` and `-V` only look. */
function command(name: string, args: Args): Iterable<Inner> {
  if (args[0] !== undefined && /^-[pvV]*[vV][pvV]*$/.test(args[0])) return [];
  return prefix({ flags: 'p' })(name, args);
}

const SHELLS = ['sh', 'dash', 'bash', 'ash', 'ksh', 'zsh', 'rbash', 'mksh'];
const OTHERS = [
  '.',
  'source',
  'alias',
  'su',
  'doas',
  'runuser',
  'chroot',
  'unshare',
  'nsenter',
  'flock',
  'script',
  'watch',
  'parallel',
  'strace',
  'ltrace',
  'gdb',
  'ssh',
  'start-stop-daemon',
  'chrt',
  'taskset',
  'prlimit',
  'setarch',
  'linux32',
  'linux64',
  'i386',
  'x86_64',
  'uname26',
  'choom',
  'setpriv',
  'capsh',
  'chpst',
  'dbus-run-session',
  'systemd-run',
  'unbuffer',
  'rlwrap',
  'ld.so',
  'run-parts',
  'builtin',
  'coproc',
  'function',
  'select',
  '[[',
  'let',
  'declare',
  'typeset',
];

const WRAPPERS: ReadonlyMap<string, Read> = new Map<string, Read>([
  ...SHELLS.map((name): [string, Read] => [name, shell]),
  ...OTHERS.map((name): [string, Read] => [name, unknown]),
  ...['export', 'readonly', 'local', 'read', 'getopts'].map((name): [string, Read] => [
    name,
    declare,
  ]),
  ['sort', unlessOption(/^--co/)],
  ['split', unlessOption(/^--f/)],
  ['eval', evaluate],
  ['trap', trap],
  ['find', find],
  ['command', command],
  ['exec', prefix({})],
  ['busybox', prefix({})],
  [
    'env',
    prefix({
      taking: 'uC',
      flags: 'i0v',
      long: ['ignore-environment', 'null', 'debug'],
      longTaking: ['unset', 'chdir'],
      assigns: true,
    }),
  ],
  ['nohup', prefix({})],
  ['setsid', prefix({ flags: 'cfw', long: ['ctty', 'fork', 'wait'] })],
  ['nice', prefix({ taking: 'n', flags: '0123456789', longTaking: ['adjustment'] })],
  ['ionice', prefix({ taking: 'cn', flags: 't', long: ['ignore'] })],
  ['stdbuf', prefix({ taking: 'ioe', longTaking: ['input', 'output', 'error'] })],
  [
    'time',
    prefix({ taking: 'fo', flags: 'apvq', long: ['portability', 'append', 'verbose', 'quiet'] }),
  ],
  [
    'timeout',
    prefix({
      taking: 'ks',
      flags: 'v',
      long: ['foreground', 'preserve-status', 'verbose'],
      longTaking: ['kill-after', 'signal'],
      skip: 1,
    }),
  ],
  ['sudo', prefix({ taking: 'ughpCDRTt', flags: 'EHnSAbkKPB', assigns: true })],
  ['xargs', xargs],
]);
