import { type ChildProcess, execFile, type SpawnOptions, spawn } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { promisify } from 'node:util';
import { dyingWithParent } from './parent-death.ts';
import { Refusal } from './refusal.ts';

const run = promisify(execFile);

/** Who Postgres runs as. It refuses to run as root, and as a user without a name. */
export interface PostgresAccount {
  /** Owner of the data, as seen from here. */
  readonly uid: number;
  readonly gid: number;
  /** Set before the program and its arguments. */
  readonly prefix: readonly string[];
  readonly options: Pick<SpawnOptions, 'uid' | 'gid'>;
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** The sandbox runs commands as this one, so nothing of ours may. */
const NOBODY = 65534;

/**
 * Finds an account that Postgres accepts and that can reach its program and its data.
 *
 * As root: a user namespace that shows root under another number. It leaves no user behind, and
 * works below `/root`, where no other user can go. Where namespaces are refused (a container), the
 * owner of the project or a system user. @throws Refusal when none of them works.
 */
export async function findPostgresAccount(
  postgres: string,
  project: string,
): Promise<PostgresAccount> {
  const uid = process.getuid?.() ?? -1;
  const gid = process.getgid?.() ?? -1;
  const users = readUsers();
  const own: PostgresAccount = { uid, gid, prefix: [], options: {} };
  if (process.platform !== 'linux') return own;
  if (uid !== 0 && users.some((user) => user.uid === uid)) return own;

  const named = users.filter((user) => user.uid !== 0 && user.uid !== NOBODY);
  const candidates = [
    ...named.slice(0, 1).map((user) => inUserNamespace(user, uid, gid)),
    ...(uid === 0 ? likelyAccounts(named, statSync(project).uid).map(asUser) : []),
  ];
  for (const candidate of candidates) {
    if (await canServe(candidate, postgres, project)) return candidate;
  }
  throw new Refusal(
    uid === 0
      ? 'Postgres refuses to run as root, and no other way works here: user namespaces are off, ' +
          `and no other user can reach both ${postgres} and ${project}.`
      : `Postgres needs a user name, and user id ${uid} has none here.`,
    'Start as a normal user, or give a database: DATABASE_URL=postgres://... npm start',
  );
}

/** Starts a program as the account. It gets SIGINT when we die. */
export function spawnAs(
  account: PostgresAccount,
  command: readonly string[],
  options: SpawnOptions,
): ChildProcess {
  // In this order: to become somebody else would undo the request for a signal.
  const [file = '', ...rest] = [...account.prefix, ...dyingWithParent('SIGINT'), ...command];
  return spawn(file, rest, { ...options, ...account.options });
}

/** Whether the account reaches both the program and the project, below which the data lies. */
async function canServe(
  account: PostgresAccount,
  postgres: string,
  project: string,
): Promise<boolean> {
  const script = '"$1" --version && cd "$2"';
  const [file = '', ...args] = [...account.prefix, 'sh', '-c', script, 'sh', postgres, project];
  return run(file, args, { ...account.options, cwd: '/', timeout: 10_000 }).then(
    () => true,
    () => false,
  );
}

/** Inside, we are `user`; outside and on disk, everything stays ours. */
function inUserNamespace(user: User, uid: number, gid: number): PostgresAccount {
  const map = [`--map-user=${user.uid}`, `--map-group=${user.gid}`];
  return { uid, gid, prefix: ['unshare', '--user', ...map, '--'], options: {} };
}

function asUser({ uid, gid }: User): PostgresAccount {
  return { uid, gid, prefix: [], options: { uid, gid } };
}

function likelyAccounts(users: readonly User[], projectOwner: number): User[] {
  const owner = users.filter((user) => user.uid === projectOwner);
  const system = ['postgres', 'daemon', 'bin'].flatMap((name) =>
    users.filter((user) => user.name === name),
  );
  return [...owner, ...system];
}

function readUsers(): User[] {
  try {
    return readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .filter((fields) => fields.length >= 4)
      .map(([name = '', , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }));
  } catch {
    return [];
  }
}
