/** What an executable runs of its arguments. */
export type Inner =
  /** Another command; an unknown first word is undefined. */
  | { readonly kind: 'words'; readonly words: readonly (string | undefined)[] }
  /** A shell text. */
  | { readonly kind: 'shell'; readonly text: string }
  | { readonly kind: 'unknown'; readonly text: string };

type Args = readonly (string | undefined)[];
type Read = (name: string, args: Args) => readonly Inner[];

/**
 * The commands within a command: what `env`, `xargs`, `sh -c` and their like run. A program that can
 * run anything and is not here (an interpreter, an editor) runs what it likes, and is to be allowed
 * or not as such.
 */
export function commandsWithin(name: string, args: Args): readonly Inner[] {
  return WRAPPERS.get(basename(name))?.(name, args) ?? [];
}

function basename(name: string): string {
  const base = name.slice(name.lastIndexOf('/') + 1);
  return base.startsWith('ld-linux') ? 'ld.so' : base;
}

interface OptionShape {
  /** Options with an argument, as letters; the argument may follow at once. */
  readonly taking?: string;
  /** Options without one. */
  readonly flags?: string;
  /** Long options without an argument, or with one after `=`. */
  readonly long?: readonly string[];
  /** Words before the command: the duration of `timeout`. */
  readonly skip?: number;
  /** Runs something also when no command is given. */
  readonly otherwise?: Inner;
}

/** Runs the rest of its arguments, after options of its own. */
function prefix({ taking = '', flags = '', long = [], skip = 0, otherwise }: OptionShape): Read {
  return (name, args) => {
    let at = 0;
    for (; at < args.length; at++) {
      const arg = args[at];
      if (arg === undefined) return unknown(name, args);
      if (arg === '--') {
        at += 1;
        break;
      }
      if (/^[A-Za-z_]\w*=/.test(arg) && name.endsWith('env')) continue;
      if (!arg.startsWith('-') || arg === '-') break;
      if (arg.startsWith('--')) {
        if (!long.includes(arg.slice(2).split('=')[0] ?? '')) return unknown(name, args);
        continue;
      }
      const letters = [...arg.slice(1)];
      const takes = letters.findIndex((letter) => taking.includes(letter));
      const known = (takes < 0 ? letters : letters.slice(0, takes)).every((letter) =>
        flags.includes(letter),
      );
      if (!known) return unknown(name, args);
      if (takes === letters.length - 1) at += 1; // Its argument is the next word.
    }
    const words = args.slice(at + skip);
    if (words.length > 0) return [{ kind: 'words', words }];
    return otherwise ? [otherwise] : [];
  };
}

/** A shell: `-c` and a text, or a file of which nobody knows what it holds. */
function shell(name: string, args: Args): readonly Inner[] {
  const at = args.findIndex((arg) => arg === undefined || /^-[a-z]*c[a-z]*$/.test(arg));
  const text = args[at + 1];
  const before = args.slice(0, Math.max(at, 0));
  const onlyOptions = before.every((arg) => arg !== undefined && /^[-+]/.test(arg));
  if (at < 0 || args[at] === undefined || text === undefined || !onlyOptions) {
    return unknown(name, args);
  }
  return [{ kind: 'shell', text }];
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

/** `find ... -exec command ;`, as often as it says so. */
function find(_name: string, args: Args): readonly Inner[] {
  const starts = args.flatMap((arg, at) =>
    arg === undefined || /^-(exec|execdir|ok|okdir)$/.test(arg) ? [at + 1] : [],
  );
  return starts.map((start): Inner => {
    if (args[start - 1] === undefined) return { kind: 'unknown', text: 'find ...' };
    const end = args.findIndex((arg, at) => at >= start && (arg === ';' || arg === '+'));
    return { kind: 'words', words: args.slice(start, end < 0 ? undefined : end) };
  });
}

/** What it runs gets further words from its input, or in place of some of them (`-I`). */
function xargs(name: string, args: Args): readonly Inner[] {
  return readXargs(name, args).map((inner): Inner => {
    if (inner.kind !== 'words') return inner;
    const replaced = args.some((arg) => arg !== undefined && /^-\w*[Ii]|^--replace/.test(arg));
    const [first] = inner.words;
    if (replaced && !/^[\w./-]+$/.test(first ?? ''))
      return { kind: 'unknown', text: `${name} ...` };
    return { kind: 'words', words: [...inner.words, undefined] };
  });
}

const readXargs = prefix({
  taking: 'InPLsdEa',
  flags: '0rtpxo',
  long: [
    'null',
    'no-run-if-empty',
    'verbose',
    'interactive',
    'exit',
    'max-args',
    'max-procs',
    'max-lines',
    'max-chars',
    'delimiter',
    'arg-file',
    'replace',
  ],
  otherwise: { kind: 'words', words: ['echo'] },
});

/** Runs something, and only it knows what. */
function unknown(name: string, args: Args): readonly Inner[] {
  return [{ kind: 'unknown', text: [name, ...args.map((arg) => arg ?? '...')].join(' ') }];
}

/** `command -v name` and `-V` only look. */
function command(name: string, args: Args): readonly Inner[] {
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
      long: ['ignore-environment', 'null', 'debug', 'unset', 'chdir'],
    }),
  ],
  ['nohup', prefix({})],
  ['setsid', prefix({ flags: 'cfw', long: ['ctty', 'fork', 'wait'] })],
  ['nice', prefix({ taking: 'n', flags: '0123456789', long: ['adjustment'] })],
  ['ionice', prefix({ taking: 'cn', flags: 't', long: ['ignore'] })],
  ['stdbuf', prefix({ taking: 'ioe', long: ['input', 'output', 'error'] })],
  [
    'time',
    prefix({ taking: 'fo', flags: 'apvq', long: ['portability', 'append', 'verbose', 'quiet'] }),
  ],
  [
    'timeout',
    prefix({
      taking: 'ks',
      flags: 'v',
      long: ['foreground', 'preserve-status', 'verbose', 'kill-after', 'signal'],
      skip: 1,
    }),
  ],
  ['sudo', prefix({ taking: 'ughpCDRTt', flags: 'EHnSAbkKPB' })],
  ['xargs', xargs],
]);
