import { userInfo } from 'node:os';
import type { KeyCommand } from '../../lib/access/key-command.ts';
import type { KeyAnswer } from '../../lib/access/manage-keys.ts';
import { Failure } from '../failure.ts';
import { formatCreated, formatKeys, formatRotated } from './format-keys.ts';

/** What a command has to say, to programs and to people. */
export interface Result {
  readonly document: unknown;
  readonly text: string;
}

/** Where the keys are: in a database that is reached from here, or behind a function. */
export type ManageKeys = (command: KeyCommand, by: string) => Promise<KeyAnswer>;

/** @throws Failure when there is no such key, or it is over already */
export async function runCommand(manage: ManageKeys, command: KeyCommand): Promise<Result> {
  const answer = await manage(command, `cli:${userName()}`);
  switch (answer.kind) {
    case 'issued': {
      const { stored, apiKey } = answer;
      const text = command.kind === 'rotate' ? formatRotated(answer) : formatCreated(answer);
      return { document: { ...stored, apiKey }, text };
    }
    case 'listed':
      return { document: answer.keys, text: formatKeys(answer.keys) };
    case 'revoked': {
      const { stored } = answer;
      return {
        document: stored,
        text: `Revoked "${stored.name}" (${stored.id}): it is refused now.`,
      };
    }
    case 'notFirst':
      return { document: null, text: 'There are keys already.' };
    case 'unknown':
      throw new Failure(
        `There is no key ${answer.id}.`,
        '"npm run keys -- list" shows those that there are.',
      );
    case 'over': {
      const { id, name, state, revokedAt, expiresAt, overlapUntil } = answer.stored;
      if (state === 'active' && overlapUntil) {
        throw new Failure(
          `The secret of "${name}" (${id}) was replaced before, and the old one works until ${overlapUntil.toISOString()}: a key overlaps with one at a time.`,
          `Wait until then; or end that now: npm run keys -- rotate ${id}`,
        );
      }
      const how = revokedAt
        ? `was revoked at ${revokedAt.toISOString()}`
        : `expired at ${expiresAt?.toISOString()}`;
      throw new Failure(`The key "${name}" (${id}) ${how}.`, 'A new one: npm run keys -- create');
    }
  }
}

/** A container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
