import { type CheckCommand, makeCheckCommand } from './check-command.ts';
import { readPolicy } from './policy-file.ts';

/** A policy from its file, or its text. @throws Error that says what is wrong with it */
export function openPolicy(pathOrText: string): CheckCommand {
  return makeCheckCommand(readPolicy(pathOrText));
}
