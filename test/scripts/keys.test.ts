import { execFile } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parseApiKey } from '../../lib/access/api-key.ts';
import { showKey } from '../../lib/access/show-key.ts';
import type { Sql } from '../../lib/db/connection.ts';
import { useDatabase } from '../support/database.ts';

const database = useDatabase();
const unmigrated = useDatabase({ empty: true });

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `npm run keys` as a process. */
function run(args: string[], url: string | undefined): Promise<Ended> {
  const env = url === undefined ? {} : { DATABASE_URL: url };
  return new Promise((resolve) => {
    execFile(process.execPath, ['scripts/keys.ts', ...args], { env }, (error, stdout, stderr) =>
      resolve({ exitCode: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

const keys = (...args: string[]) => run(args, database.url);

/** The answer for programs. */
// biome-ignore lint/suspicious/noExplicitAny: each test asserts the shape it expects
async function json(...args: string[]): Promise<any> {
  const { exitCode, stdout, stderr } = await keys(...args, '--json');
  expect([exitCode, stderr]).toEqual([0, '']);
  return JSON.parse(stdout);
}

async function kindOf(apiKey: string): Promise<string> {
  const key = parseApiKey(apiKey);
  return key ? (await showKey(database.sql, key)).kind : 'malformed';
}

/** All rows of all tables as text; bytes are in hexadecimal. */
async function dumpOf(sql: Sql): Promise<string> {
  const tables = await sql<{ name: string }[]>`
    select tablename as name from pg_tables where schemaname = 'errand'`;
  const dumps = tables.map(({ name }) => sql`select t::text from errand.${sql(name)} t`);
  return JSON.stringify(await Promise.all(dumps));
}

async function auditOf(id: string) {
  return database.sql`
    select tenant, action, key_id, source_ip, request_id from errand.audit_log
     where subject = ${id} order by id`;
}

describe('npm run keys -- create', () => {
  it('shows a key that works at once', async () => {
    const { exitCode, stdout, stderr } = await keys('create', '--name', 'ci of acme');
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toContain(
      'Created "ci of acme" (tenant default; read, write; 600/min, 600 at once).',
    );
    const [apiKey = ''] = /errand_[0-9a-f]{32}_\S+/.exec(stdout) ?? [];
    expect(await kindOf(apiKey)).toBe('good');
  });

  it('takes tenant, scopes, expiry and limit, and answers programs in JSON', async () => {
    const options = ['--scopes', 'admin, read', '--per-minute', '60', '--burst', '5'];
    const created = await json(
      ...['create', '--name', 'x', '--tenant', 'acme', '--expires', '2099-01-31T12:00:00+01:00'],
      ...options,
    );
    expect(created).toMatchObject({
      tenant: 'acme',
      name: 'x',
      scopes: ['read', 'admin'],
      rateLimit: { requestsPerMinute: 60, burst: 5 },
      expiresAt: '2099-01-31T11:00:00.000Z',
      state: 'active',
      revokedAt: null,
      lastUsedAt: null,
    });
    expect(await kindOf(created.apiKey)).toBe('good');
  });

  it('counts a duration from now on', async () => {
    const before = Date.now();
    const { expiresAt, rateLimit } = await json(
      ...['create', '--name', 'x', '--expires', '90d', '--per-minute', 'none'],
    );
    expect(Date.parse(expiresAt) - before).toBeGreaterThanOrEqual(90 * 86_400_000 - 1000);
    expect(Date.parse(expiresAt) - Date.now()).toBeLessThanOrEqual(90 * 86_400_000);
    expect(rateLimit).toBeNull();
  });

  it.each([
    [[], '--name is missing.', '--name ci'],
    [['--name', ' '], '--name must be 1 to 100 printable characters.', '--name ci'],
    [['--name', '\u001b[31m'], '--name must be 1 to 100 printable characters.', '--name ci'],
    [['--name', 'x', '--tenant', 'A b'], '--tenant is "A b", which is no tenant.', '--tenant acme'],
    [
      ['--name', 'x', '--scopes', 'read,root'],
      '--scopes has "root", which is not known.',
      'Known are: read, write, admin.',
    ],
    [
      ['--name', 'x', '--expires', 'soon'],
      '--expires is "soon", which is neither a duration nor a time.',
      '--expires 90d',
    ],
    [['--name', 'x', '--expires', '0s'], '--expires is "0s", which is over.', '--expires 90d'],
    [
      ['--name', 'x', '--expires', '2020-01-01T00:00:00Z'],
      '--expires is "2020-01-01T00:00:00Z", which is over.',
      '--expires 90d',
    ],
    [
      ['--name', 'x', '--expires', '99999999999d'],
      '--expires is "99999999999d", which is too long.',
      'At most 36500d.',
    ],
    [
      ['--name', 'x', '--per-minute', '0'],
      '--per-minute is "0"; it must be a whole number from 1 to 1000000.',
      '--per-minute 100',
    ],
    [
      ['--name', 'x', '--per-minute', 'none', '--burst', '5'],
      '--burst limits what --per-minute none does not.',
      'Leave one of them out.',
    ],
    [['--name', 'x', '--scope', 'read'], "Unknown option '--scope'.", '"create" takes: --name,'],
    [['--name'], "Option '--name <value>' argument missing.", '"create" takes: --name,'],
    [['--name', 'my', 'key'], '"key" is one word too many.', 'Put values with spaces into quotes.'],
  ])('refuses %j, names the option, and shows a right one', async (options, message, remedy) => {
    const { exitCode, stdout, stderr } = await keys('create', ...options);
    expect([exitCode, stdout]).toEqual([2, '']);
    expect(stderr.split('\n')[0]).toBe(`keys: ${message}`);
    expect(stderr).toContain(remedy);
  });
});

describe('npm run keys -- list', () => {
  it('shows what there is to know, and no secret', async () => {
    const { id, apiKey } = await json('create', '--name', 'listed', '--tenant', 'lists');
    const { stdout } = await keys('list', '--tenant', 'lists');
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(/^id +tenant +name +scopes +limit +state +last used +expires$/),
      `${id}  lists   listed  read,write  600/min, 600 at once  active  never      never`,
      '',
    ]);
    const secret = parseApiKey(apiKey)?.secret ?? 'none';
    const listed = await json('list', '--tenant', 'lists');
    expect(listed).toHaveLength(1);
    expect(Object.keys(listed[0])).not.toContain('secretHash');
    expect(JSON.stringify(listed)).not.toContain(secret);
    await kindOf(apiKey);
    expect((await json('list', '--tenant', 'lists'))[0].lastUsedAt).not.toBeNull();
  });

  it('shows the keys of all tenants, or says how to make one', async () => {
    await json('create', '--name', 'x', '--tenant', 'one');
    await json('create', '--name', 'x', '--tenant', 'two');
    const tenants = (await json('list')).map(({ tenant }: { tenant: string }) => tenant);
    expect(tenants).toEqual(expect.arrayContaining(['one', 'two']));
    expect((await keys('list', '--tenant', 'nobody')).stdout).toMatch(/^There are no keys\. Make/);
  });
});

describe('npm run keys -- rotate', () => {
  it('gives the key a new secret, and refuses the old one', async () => {
    const old = await json('create', '--name', 'x');
    const { stdout } = await keys('rotate', old.id);
    expect(stdout).toContain('a new secret. All before it are refused now.');
    const [fresh = ''] = /errand_[0-9a-f]{32}_\S+/.exec(stdout) ?? [];
    expect(parseApiKey(fresh)?.id).toBe(old.id);
    expect([await kindOf(old.apiKey), await kindOf(fresh)]).toEqual(['replaced', 'good']);
  });

  it('lets the old secret work as long as it is told to', async () => {
    const old = await json('create', '--name', 'x');
    const fresh = await json('rotate', old.id, '--overlap', '1h');
    expect([await kindOf(old.apiKey), await kindOf(fresh.apiKey)]).toEqual(['good', 'good']);
    const overlapMs = Date.parse(fresh.overlapUntil) - Date.now();
    expect(Math.abs(overlapMs - 3_600_000)).toBeLessThan(60_000);
  });

  it('keeps an overlap that was promised, and says how to end it', async () => {
    const oldest = await json('create', '--name', 'x');
    const old = await json('rotate', oldest.id, '--overlap', '1h');
    const again = await keys('rotate', oldest.id, '--overlap', '1h');
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toBe(
      `keys: The secret of "x" (${oldest.id}) was replaced before, and the old one works until ` +
        `${old.overlapUntil}: a key overlaps with one at a time.\n` +
        `Wait until then; or end that now: npm run keys -- rotate ${oldest.id}\n`,
    );
    expect([await kindOf(oldest.apiKey), await kindOf(old.apiKey)]).toEqual(['good', 'good']);
    const fresh = await json('rotate', oldest.id);
    const secrets = [oldest, old, fresh];
    const kinds = await Promise.all(secrets.map(({ apiKey }) => kindOf(apiKey)));
    expect(kinds).toEqual(['unknown', 'replaced', 'good']);
    await json('rotate', oldest.id, '--overlap', '1h');
    expect(await kindOf(fresh.apiKey)).toBe('good');
  });

  it.each([
    [['--overlap', 'long'], '--overlap is "long", which is no duration.'],
    [['--overlap', '31d'], '--overlap is "31d", which is too long.'],
    [[], 'The id of the key is missing.'],
  ])('refuses %j', async (options, message) => {
    const id = options.length > 0 ? ['019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f'] : [];
    const { exitCode, stderr } = await keys('rotate', ...id, ...options);
    expect(exitCode).toBe(2);
    expect(stderr.split('\n')[0]).toBe(`keys: ${message}`);
  });
});

describe('npm run keys -- revoke', () => {
  it('refuses the key from then on, and says so when it was refused before', async () => {
    const { id, apiKey } = await json('create', '--name', 'x');
    const { stdout } = await keys('revoke', id);
    expect(stdout).toBe(`Revoked "x" (${id}): it is refused now.\n`);
    expect(await kindOf(apiKey)).toBe('revoked');
    for (const command of ['revoke', 'rotate']) {
      const again = await keys(command, id);
      expect(again.exitCode).toBe(1);
      expect(again.stderr).toMatch(/^keys: The key "x" \(.{36}\) was revoked at 20.*\nA new one/);
    }
  });

  it('takes the id out of a key that somebody found', async () => {
    const { apiKey } = await json('create', '--name', 'x');
    await json('revoke', apiKey.slice(0, 40));
    expect(await kindOf(apiKey)).toBe('revoked');
  });

  it('says when there is no such key', async () => {
    const { exitCode, stderr } = await keys('revoke', '019abf0e-6f4c-7d1a-a6f4-4a8f6c1d2e3f');
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^keys: There is no key 019abf0e.*\n"npm run keys -- list" shows/);
  });

  it('refuses what is no id', async () => {
    const { exitCode, stderr } = await keys('revoke', 'latest');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^keys: "latest" is not the id of a key\.\n"npm run keys -- list" shows/,
    );
  });
});

describe('npm run keys', () => {
  it('writes each change to the audit log of the tenant', async () => {
    const { id } = await json('create', '--name', 'x', '--tenant', 'acme');
    await json('rotate', id);
    await json('revoke', id);
    const entry = {
      tenant: 'acme',
      key_id: null,
      source_ip: null,
      request_id: expect.stringMatching(/^cli:./),
    };
    expect(await auditOf(id)).toEqual([
      { ...entry, action: 'key.create' },
      { ...entry, action: 'key.rotate' },
      { ...entry, action: 'key.revoke' },
    ]);
    await keys('revoke', id);
    expect(await auditOf(id)).toHaveLength(3);
  });

  it('leaves no secret in the database', async () => {
    const { id, apiKey } = await json('create', '--name', 'x');
    const rotated = await json('rotate', id, '--overlap', '1h');
    const dump = await dumpOf(database.sql);
    expect(dump).toContain(id);
    for (const key of [apiKey, rotated.apiKey]) {
      const secret = parseApiKey(key)?.secret ?? '';
      expect(secret).toHaveLength(43);
      const bytes = Buffer.from(secret, 'base64url');
      for (const trace of [secret, bytes.toString('hex'), bytes.toString('base64')]) {
        expect(dump).not.toContain(trace);
      }
    }
  });

  it('explains itself', async () => {
    expect(await keys('--help')).toMatchObject({ exitCode: 0, stderr: '' });
    expect((await keys()).exitCode).toBe(2);
    const { exitCode, stderr } = await keys('delete');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(
      /^keys: There is no command "delete"\.\nKnown are: create, list, revoke/,
    );
  });

  it('asks for a database when nothing names one', async () => {
    const { exitCode, stderr } = await run(['list'], undefined);
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^keys: DATABASE_URL is not set, and no `npm start` is up in this/);
  });

  it('wants a stage for a region', async () => {
    const { exitCode, stderr } = await keys('list', '--region', 'eu-west-1');
    expect(exitCode).toBe(2);
    expect(stderr).toBe('keys: --region is given without --stage.\nFor example: --stage prod\n');
  });

  it('refuses a database URL that is none, and does not repeat it', async () => {
    const { exitCode, stderr } = await run(['list'], 'mysql://root:s3cret@localhost');
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/^keys: DATABASE_URL is not a postgres:\/\/ URL\./);
    expect(stderr).not.toContain('s3cret');
  });

  it('says that the database has to be migrated first', async () => {
    const { exitCode, stderr } = await run(['list'], unmigrated.url);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /^keys: .*does not exist\nIs DATABASE_URL right, .* migrated \(npm run migrate\)/,
    );
  });
});
