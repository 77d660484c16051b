import { matchesGlob } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Program } from '../sandbox/sandbox.ts';
import { isBuiltin } from './builtins.ts';
import type { Executable } from './executables.ts';
import { isExpandedByShell } from './expanded-variables.ts';
import type { Policy } from './policy-file.ts';

const MAX_SHOWN_CHARACTERS = 200;

/** Why a command is not allowed. */
export interface Refusal {
  /** The rule's name, or `default`, `dynamic`, `unparseable`, `too-complex` or `max-length`. */
  readonly rule: string;
  /** Its first 200 characters. */
  readonly executable: string | null;
  /** A sentence for the caller. */
  readonly reason: string;
}

/** What is to run, and the environment that the caller gives it. */
export interface Checked {
  readonly program: Program;
  readonly env: Readonly<Record<string, string>>;
}

/** Undefined when the policy lets the command pass. */
export type CheckCommand = (command: Checked) => Promise<Refusal | undefined>;

/**
 * Holds commands against a policy. It reads what a command says, not what it does: that is for the
 * sandbox, which is the boundary. The grammar is loaded with the first command.
 */
export function makeCheckCommand(policy: Policy): CheckCommand {
  return async ({ program, env }) => {
    const tooLong = checkLength(policy, program);
    if (tooLong) return tooLong;
    const reader = await import('./executables.ts');
    // Reading 64 KiB takes up to 50 ms: between the commands of a batch, others have their turn.
    await nextTurn();
    try {
      const found =
        program.kind === 'shell'
          ? reader.executablesOfShell(program.command)
          : reader.executablesOfArgv(program.argv);
      return firstRefusal(policy, [...found, ...expandedIn(env)]);
    } catch (error) {
      if (error instanceof reader.TooComplex) return unreadable('too-complex', error.message);
      if (error instanceof reader.Unparseable) return unreadable('unparseable', error.message);
      // A stack that is used up is nesting of which no honest command has so much.
      if (error instanceof RangeError) return unreadable('too-complex', 'it is nested too deeply');
      throw error;
    }
  };
}

/** What a shell runs of its environment, whatever its command says. */
function expandedIn(env: Checked['env']): Executable[] {
  return Object.entries(env)
    .filter(([name]) => isExpandedByShell(name))
    .map(([name, value]) => ({ kind: 'dynamic', text: `${name}=${value}` }));
}

function unreadable(rule: 'too-complex' | 'unparseable', why: string): Refusal {
  return {
    rule,
    executable: null,
    reason: `The command policy cannot tell what this command runs: ${why}.`,
  };
}

function checkLength({ maxLength }: Policy, program: Program): Refusal | undefined {
  const text = program.kind === 'shell' ? program.command : program.argv.join(' ');
  const bytes = Buffer.byteLength(text);
  if (maxLength === undefined || bytes <= maxLength) return undefined;
  return {
    rule: 'max-length',
    executable: null,
    reason: `The command has ${bytes} bytes; the command policy allows ${maxLength}.`,
  };
}

function firstRefusal(policy: Policy, found: readonly Executable[]): Refusal | undefined {
  for (const executable of found) {
    const rule =
      executable.kind === 'named' ? refusingRule(policy, executable.name) : refusingDynamic(policy);
    if (rule === undefined) continue;
    const text = executable.kind === 'named' ? executable.name : executable.text;
    const name = text.slice(0, MAX_SHOWN_CHARACTERS).toWellFormed();
    const what =
      executable.kind === 'named'
        ? 'is not allowed'
        : 'is known only once it runs, and so not allowed';
    return {
      rule,
      executable: name,
      reason:
        rule === 'default'
          ? `No rule of the command policy allows ${JSON.stringify(name)}.`
          : `${JSON.stringify(name)} ${what} by the rule "${rule}" of the command policy.`,
    };
  }
  return undefined;
}

function refusingDynamic({ dynamic }: Policy): string | undefined {
  return dynamic === 'deny' ? 'dynamic' : undefined;
}

function refusingRule(policy: Policy, name: string): string | undefined {
  const rule = policy.rules.find((candidate) =>
    candidate.patterns.some((pattern) => matches(pattern, name, candidate.verdict)),
  );
  if (rule) return rule.verdict === 'deny' ? rule.name : undefined;
  return policy.default === 'deny' && !isBuiltin(name) ? 'default' : undefined;
}

/**
 * A pattern with a slash is held against the name as it is given. One without names a program of the
 * `PATH`: to deny it is to deny it under any path, and to allow it is not to allow `./` before it.
 */
function matches(pattern: string, name: string, verdict: 'allow' | 'deny'): boolean {
  if (pattern.includes('/')) return matchesGlob(name, pattern);
  if (verdict === 'allow' && name.includes('/')) return false;
  return matchesGlob(name.slice(name.lastIndexOf('/') + 1), pattern);
}
