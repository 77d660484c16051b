import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { urlOf, useDatabase } from '../support/database.ts';

const database = useDatabase({ empty: true });

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run migrate` with nothing but the given variables. */
function migrate(env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, ['scripts/migrate.ts'], { env }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

describe('scripts/migrate.ts', () => {
  it('migrates the database at DATABASE_URL, and says so when there is nothing to do', async () => {
    const first = await migrate({ DATABASE_URL: database.url });
    expect(first).toMatchObject({ exitCode: 0, stderr: '' });
    expect(first.stdout).toContain('0001_create_tasks');
    const second = await migrate({ DATABASE_URL: database.url });
    expect(second).toMatchObject({ exitCode: 0, stdout: 'already at the newest migration\n' });
  });

  it('asks for DATABASE_URL when it is not set', async () => {
    const { exitCode, stderr } = await migrate({});
    expect(exitCode).toBe(2);
    expect(stderr).toContain('DATABASE_URL is not set. Example: postgres://');
  });

  it('exits with 1 and one line when nobody listens there', async () => {
    const port = await freePort(undefined);
    const { exitCode, stderr } = await migrate({
      DATABASE_URL: `postgres://a@127.0.0.1:${port}/b`,
    });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('ECONNREFUSED');
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('exits with 1 when there is no such database', async () => {
    const { exitCode, stderr } = await migrate({ DATABASE_URL: urlOf('no_such_database') });
    expect(exitCode).toBe(1);
    expect(stderr).toContain('database "no_such_database" does not exist');
  });
});
