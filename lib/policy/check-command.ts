import { matchesGlob } from 'node:path';
import type { Program } from '../sandbox/sandbox.ts';
import { isBuiltin } from './builtins.ts';
import type { Executable } from './executables.ts';
import type { Policy } from './policy-file.ts';

/** Why a command is not allowed. */
export interface Refusal {
  /** The rule's name, or `default`, `dynamic`, `unparseable` or `max-length`. */
  readonly rule: string;
  readonly executable: string | null;
  /** A sentence for the caller. */
  readonly reason: string;
}

/** Undefined when the policy lets the command pass. */
export type CheckCommand = (program: Program) => Promise<Refusal | undefined>;

/**
 * Holds commands against a policy. It reads what a command says, not what it does: that is for the
 * sandbox, which is the boundary. The grammar is loaded with the first command.
 */
export function makeCheckCommand(policy: Policy): CheckCommand {
  return async (program) => {
    const tooLong = checkLength(policy, program);
    if (tooLong) return tooLong;
    const { executablesOfArgv, executablesOfShell, Unparseable } = await import('./executables.ts');
    try {
      const found =
        program.kind === 'shell'
          ? executablesOfShell(program.command)
          : executablesOfArgv(program.argv);
      return firstRefusal(policy, found);
    } catch (error) {
      // A stack that is used up is nesting of which no honest command has so much.
      if (!(error instanceof Unparseable || error instanceof RangeError)) throw error;
      const why = error instanceof Unparseable ? error.message : 'it is nested too deeply';
      return {
        rule: 'unparseable',
        executable: null,
        reason: `The command policy cannot tell what this command runs: ${why}.`,
      };
    }
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
    const name = executable.kind === 'named' ? executable.name : executable.text;
    const what =
      executable.kind === 'named'
        ? 'is not allowed'
        : 'is known only once it runs, and so not allowed';
    return {
      rule,
      executable: name,
      reason:
        rule === 'default'
          ? `No rule of the command policy allows ${JSON.stringify(name.slice(0, 200))}.`
          : `${JSON.stringify(name.slice(0, 200))} ${what} by the rule "${rule}" of the command policy.`,
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
