import type { Limits, Outcome } from '../../../lib/sandbox/sandbox.ts';
import { type SyscallName, syscallNumber } from '../syscalls.ts';
import type { Host } from './host.ts';

/** A text for a shell, or an argument vector. */
export type HostileCommand = string | readonly string[];

/** One hostile command. What every attack must not do is judged from outside: see `snapshot.ts`. */
export interface Attack {
  /** Read after "a task": `reads the environment of its worker`. */
  readonly tries: string;
  readonly command: (host: Host) => HostileCommand;
  readonly limits?: Partial<Limits>;
  /** Run afterwards, as the next task, and judged as well. */
  readonly next?: (host: Host) => HostileCommand;
  /** Done by the worker once the command has written something; it is ended then. */
  readonly during?: (host: Host) => Promise<Harm>;
  /** The harm, beyond what every attack is judged for, that the outcome shows. */
  readonly harm?: (outcome: Outcome, host: Host) => Harm;
  /** What is run without a sandbox instead, or why nothing is. */
  readonly bare?: ((host: Host) => HostileCommand) | { readonly notRun: string };
}

/** In words; undefined when there was none. */
export type Harm = string | undefined;

/** What a command says that has done what it should not, where nobody else could see it. */
export const BROKE = 'broke:';

const architecture = process.arch === 'arm64' ? 'arm64' : 'x64';

/** Perl that can say `broke "..."`, and `call(name => ...)` system calls that we know. */
export function perl(script: string, ...args: readonly (string | number)[]): string[] {
  const named = [...script.matchAll(/call\((\w+)/g)].map(([, name]) => {
    const number = syscallNumber(name as SyscallName, architecture);
    return `${name} => ${number ?? 100_000}`; // what the architecture lacks answers ENOSYS
  });
  const prelude = `$| = 1; %n = (${named.join(', ')});
    sub broke { print "${BROKE} @_\\n" }
    sub call { my $n = shift; syscall $n{$n}, @_ } # by reference: the kernel may write to them
    @ARGV = map { /^\\d+$/ ? $_ + 0 : $_ } @ARGV;`;
  return ['perl', '-e', `${prelude} ${script}`, ...args.map(String)];
}

/** Tries one call. It was stopped only when the kernel's own code did not even look at it. */
export function tryCall(name: SyscallName, ...args: readonly (number | string)[]): string[] {
  const list = args.map((value) => (typeof value === 'number' ? value : `"${value}"`));
  return perl(`my @a = (${list.join(', ')});
    my $r = call(${name} => @a); my $e = $! + 0;
    broke "${name} answered $r, $e" unless $r == -1 && ($e == 1 || $e == 38 || $e == 97)`);
}

/** Harm unless the command ended in this way. */
export function unless(kind: Outcome['ending']['kind']): (outcome: Outcome) => Harm {
  return ({ ending }) => (ending.kind === kind ? undefined : `it ended as ${ending.kind}`);
}
