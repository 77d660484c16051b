import { createHash } from 'node:crypto';
import { chown, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type PostgresAccount, spawnAs } from './postgres-account.ts';

/** In the data directory: a digest of the password that its role has. */
const FILE = 'errand-password.sha256';

export interface PasswordOptions {
  /** The server's program. */
  readonly postgres: string;
  readonly account: PostgresAccount;
  readonly dataDirectory: string;
  readonly user: string;
  readonly password: string;
}

/**
 * Gives the role our password when it has another one, for example because the file with the old
 * one was removed. The server must not run: it is run on its own here, without a network, as its
 * owner may.
 */
export async function ensurePassword(options: PasswordOptions): Promise<void> {
  const { dataDirectory, password } = options;
  const last = await readFile(join(dataDirectory, FILE), 'utf8').catch(() => undefined);
  if (last === digest(password)) return;
  await alterRole(options);
  await rememberPassword(options);
}

/** The role has this password now. */
export async function rememberPassword({
  account,
  dataDirectory,
  password,
}: Pick<PasswordOptions, 'account' | 'dataDirectory' | 'password'>): Promise<void> {
  const file = join(dataDirectory, FILE);
  await writeFile(file, digest(password), { mode: 0o600 });
  await chown(file, account.uid, account.gid);
}

async function alterRole(options: PasswordOptions): Promise<void> {
  const { postgres, account, dataDirectory, user, password } = options;
  const child = spawnAs(
    account,
    [postgres, '--single', '-D', dataDirectory, '-c', 'exit_on_error=on', 'postgres'],
    { cwd: '/', stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env.PATH, LC_ALL: 'C' } },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (bytes: Buffer) => {
      output += bytes;
    });
  }
  child.stdin?.on('error', () => {}); // It ended early; its code tells.
  // A line is a statement here. The password is of letters, digits, - and _; others are doubled.
  child.stdin?.end(`alter role ${user} password '${password.replaceAll("'", "''")}'\n`);
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`setting the password of the database failed:\n${output}`);
}

function digest(password: string): string {
  return createHash('sha256').update(password).digest('hex');
}
