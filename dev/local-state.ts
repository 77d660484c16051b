import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from './refusal.ts';

/** Everything that a start keeps, in `.errand` of the project: nothing lies anywhere else. */
export interface LocalState {
  readonly directory: string;
  path(name: string): string;
  /** As JSON. Undefined when it was never written, or is none; people edit files, so it is checked. */
  read<T = unknown>(name: string): T | undefined;
  /** Writes a file that only its owner can read, whole or not at all. */
  write(name: string, content: unknown): void;
  /** A random text that stays the same from start to start. */
  secret(name: string): string;
}

/** @throws Refusal when the directory belongs to somebody else. */
export function openLocalState(project: string): LocalState {
  const directory = join(project, '.errand');
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  refuseForeign(directory);
  chmodSync(directory, 0o700);
  const path = (name: string) => join(directory, name);

  function writeText(name: string, text: string) {
    const fresh = path(`${name}.${process.pid}`);
    writeFileSync(fresh, text, { mode: 0o600 });
    renameSync(fresh, path(name));
  }

  return {
    directory,
    path,
    read<T>(name: string) {
      try {
        return JSON.parse(readFileSync(path(name), 'utf8')) as T;
      } catch {
        return undefined;
      }
    },
    write: (name, content) =>
      writeText(
        name,
        typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`,
      ),
    secret(name) {
      try {
        return readFileSync(path(name), 'utf8').trim();
      } catch {
        const secret = randomBytes(24).toString('base64url');
        writeText(name, `${secret}\n`);
        return secret;
      }
    },
  };
}

/** Files of two owners in one directory would break the next start of either. */
function refuseForeign(directory: string): void {
  const { uid: owner } = statSync(directory);
  const uid = process.getuid?.();
  if (uid === undefined || owner === uid) return;
  throw new Refusal(
    `${directory} belongs to the user with id ${owner}; you are ${uid}.`,
    `It was made by a start as that user. Start as that user again, or remove it with its data:\n` +
      `  ${uid === 0 ? '' : 'sudo '}rm -rf '${directory}'`,
  );
}
