import { once } from 'node:events';
import { copyFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { SCHEMA_VERSION } from '../../lib/db/schema-version.ts';
import { useDatabase } from '../support/database.ts';
import { anHttpEvent } from '../support/http-event.ts';
import { storeKey } from '../support/keys.ts';
import { useQueue } from '../support/queue.ts';
import { type Environment, startEnvironment, unpack } from './environment.ts';
import { type SecretStore, serveSecrets } from './secret-store.ts';
import { serveTls, type TlsPostgres } from './tls-postgres.ts';

const database = useDatabase();
const broker = useQueue();
const PARAMETER = '/errand/prod/database-url';
/** The certificate lies in the zip: a function sees no other file of ours. */
const TRUST = { NODE_EXTRA_CA_CERTS: '/mnt/task/certificate.pem' };
const SECRET = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:errand-abc';

let secrets: SecretStore;
let tls: TlsPostgres;
const started: Environment[] = [];

beforeAll(async () => {
  secrets = await serveSecrets();
  tls = await serveTls(database.url);
});
afterEach(async () => {
  for (const environment of started.splice(0)) await environment.close();
});
afterAll(async () => {
  tls?.close();
  await secrets?.close();
});

async function start(name: string, variables: Record<string, string>): Promise<Environment> {
  const task = await unpack(name);
  await copyFile(tls.certificate, join(task, 'certificate.pem'));
  const environment = await startEnvironment({
    task,
    handler: `functions/${name}.handler`,
    variables: {
      TASK_QUEUE_URL: broker.settings.url,
      DEAD_LETTER_QUEUE_URL: broker.settings.deadLetterUrl,
      SQS_ENDPOINT: inject('sqsEndpoint'),
      AWS_ENDPOINT_URL: secrets.url,
      ...variables,
    },
  });
  started.push(environment);
  return environment;
}

/** The database's address, through TLS, as a provider would hand it out. */
function secureUrl(host = 'localhost'): URL {
  const url = new URL(database.url);
  url.host = `${host}:${tls.port}`;
  url.search = '?sslmode=require&channel_binding=require';
  return url;
}

async function listTasks(variables: Record<string, string>) {
  const environment = await start('list-tasks', variables);
  const { headers } = await storeKey(database.sql);
  const { body } = await environment.invoke(anHttpEvent({ path: '/api/tasks', headers }));
  const { statusCode } = JSON.parse(body.toString()) as { statusCode: number };
  return { statusCode, log: environment.log() };
}

describe('a packaged function whose database is a secret', () => {
  it('reads a parameter, and speaks TLS with the server that it names', async () => {
    secrets.values.set(PARAMETER, secureUrl().href);
    const trust = { DATABASE_SECRET: `ssm:${PARAMETER}`, ...TRUST };
    expect(await listTasks(trust)).toMatchObject({ statusCode: 200 });
  });

  it('reads a secret as RDS keeps it', async () => {
    const { username, password, pathname, port } = secureUrl();
    secrets.values.set(
      SECRET,
      JSON.stringify({
        username: decodeURIComponent(username),
        password: decodeURIComponent(password),
        port,
      }),
    );
    const settings = {
      DATABASE_SECRET: SECRET,
      DATABASE_HOST: 'localhost',
      DATABASE_NAME: pathname.slice(1),
      ...TRUST,
    };
    expect(await listTasks(settings)).toMatchObject({ statusCode: 200 });
  });

  it('goes on when the password was changed while it was warm', async () => {
    const url = secureUrl();
    url.username = 'rotated';
    const give = async (password: string) => {
      await database.sql.unsafe(`alter role rotated password '${password}'`);
      url.password = password;
      secrets.values.set(PARAMETER, url.href);
    };
    await database.sql`create role rotated login superuser`;
    try {
      await give('first');
      const environment = await start('list-tasks', {
        DATABASE_SECRET: `ssm:${PARAMETER}`,
        ...TRUST,
      });
      const { headers } = await storeKey(database.sql);
      const list = async () => {
        const { body } = await environment.invoke(anHttpEvent({ path: '/api/tasks', headers }));
        return JSON.parse(body.toString()).statusCode as number;
      };
      expect(await list()).toBe(200);
      await give('second');
      await database.sql`
        select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'`;
      await expect.poll(list).toBe(200);
      // And with the store away, what it has read last still holds.
      secrets.values.clear();
      await database.sql`
        select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'`;
      await expect.poll(list).toBe(200);
    } finally {
      await database.sql`
        select pg_terminate_backend(pid) from pg_stat_activity where usename = 'rotated'`;
      await database.sql`drop role rotated`;
    }
  });

  it('refuses a server whose certificate nobody vouches for', async () => {
    secrets.values.set(PARAMETER, secureUrl().href);
    const { statusCode, log } = await listTasks({ DATABASE_SECRET: `ssm:${PARAMETER}` });
    expect(statusCode).toBeGreaterThanOrEqual(500);
    expect(log).toMatch(/self-signed certificate/);
  });

  it('refuses a server without TLS', async () => {
    secrets.values.set(PARAMETER, database.url);
    const { statusCode } = await listTasks({ DATABASE_SECRET: `ssm:${PARAMETER}` });
    expect(statusCode).toBeGreaterThanOrEqual(500);
  });

  it('names a secret that is not there, and shows no password', async () => {
    const { statusCode, log } = await listTasks({ DATABASE_SECRET: 'ssm:/nowhere' });
    expect(statusCode).toBeGreaterThanOrEqual(500);
    expect(log).toContain('DATABASE_SECRET: ssm:/nowhere cannot be used');
    // Where in the sources it was thrown, and not where in the bundle.
    expect(log).toMatch(/at .*\(lib\/config\/database-secret\.ts:\d+:\d+\)/);
    expect(log).not.toMatch(/database-secret\.mjs|functions\/list-tasks\.mjs:1:/);
    expect(log).not.toContain(new URL(database.url).password);
  });
});

describe('a packaged function that fails outside of HTTP', () => {
  it('leaves Lambda a stack trace that names our sources', async () => {
    const environment = await start('relay-outbox', { DATABASE_SECRET: 'ssm:/nowhere' });
    const { error } = await environment.invoke({});
    expect(error?.errorMessage).toContain('/nowhere');
    expect(JSON.stringify(error)).toMatch(/lib\/config\/database-secret\.ts:\d+:\d+/);
  });
});

describe('migrate-database, packaged', () => {
  it.each([
    ['Create', {}, 'SUCCESS'],
    ['Update', { OldResourceProperties: { SchemaVersion: `${SCHEMA_VERSION}` } }, 'SUCCESS'],
    // Migration 2 drops columns that the release before it reads.
    ['Update', { OldResourceProperties: { SchemaVersion: '1' } }, 'FAILED'],
    ['Delete', {}, 'SUCCESS'],
  ])('answers CloudFormation at a %s', async (RequestType, more, status) => {
    const answer = await deploy(RequestType, more, { DATABASE_URL: database.url });
    expect(answer).toMatchObject({ Status: status, PhysicalResourceId: 'database' });
  });

  it('tells CloudFormation why it failed', async () => {
    const answer = await deploy('Create', {}, { DATABASE_SECRET: 'ssm:/nowhere' });
    expect(answer).toMatchObject({ Status: 'FAILED', Reason: expect.stringContaining('/nowhere') });
  });
});

/** Sends the event of a custom resource; what the function tells CloudFormation. */
async function deploy(RequestType: string, more: object, variables: Record<string, string>) {
  const told = Promise.withResolvers<string>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    response.end();
    told.resolve(Buffer.concat(chunks).toString());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const environment = await start('migrate-database', variables);
    const { error } = await environment.invoke({
      RequestType,
      RequestId: 'request',
      StackId: 'arn:aws:cloudformation:us-east-1:123456789012:stack/errand-prod/id',
      LogicalResourceId: 'DatabaseMigration',
      ResponseURL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      ResourceProperties: { SchemaVersion: '1' },
      ...more,
    });
    expect(error).toBeUndefined();
    return JSON.parse(await told.promise);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
