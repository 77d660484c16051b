import { describe, expect, it } from 'vitest';
import { freePort } from '../../dev/ports.ts';
import { Refusal } from '../../dev/refusal.ts';
import { readSettings, refuseTakenPort } from '../../dev/settings.ts';

function refusalOf(env: Record<string, string>): Refusal {
  try {
    readSettings(env);
  } catch (error) {
    if (error instanceof Refusal) return error;
  }
  throw new Error('the settings were not refused');
}

describe('readSettings', () => {
  it('serves on loopback, under the names of this machine alone', () => {
    expect(readSettings({})).toEqual({
      host: '127.0.0.1',
      port: 3500,
      auth: 'none',
      allowedHosts: 'localhost,127.0.0.1,[::1]',
      databaseUrl: undefined,
      sqsEndpoint: undefined,
      rabbitmqUrl: undefined,
      rabbitmqQueue: 'errand',
      runWorker: false,
      region: 'us-east-1',
      sandbox: 'auto',
      logFormat: 'text',
    });
  });

  it('asks for RabbitMQ only where it is the queue', () => {
    const RABBITMQ_URL = 'amqps://user:password@mq/tasks';
    expect(readSettings({ QUEUE: 'rabbitmq', RABBITMQ_URL }).rabbitmqUrl).toBe(RABBITMQ_URL);
    expect(readSettings({ RABBITMQ_URL }).rabbitmqUrl).toBeUndefined();
  });

  it('runs a worker where RabbitMQ is the queue, unless they run elsewhere', () => {
    const rabbit = { QUEUE: 'rabbitmq', RABBITMQ_URL: 'amqp://mq' };
    expect(readSettings({}).runWorker).toBe(false);
    expect(readSettings(rabbit).runWorker).toBe(true);
    expect(readSettings({ ...rabbit, RUN_WORKER: 'false' }).runWorker).toBe(false);
  });

  it('leaves the names to the user where others may connect', () => {
    expect(readSettings({ HOST: '0.0.0.0' }).allowedHosts).toBe('');
    expect(readSettings({ HOST: '0.0.0.0', ALLOWED_HOSTS: 'box' }).allowedHosts).toBe('box');
  });

  it.each(['localhost', '127.0.0.1', '127.9.9.9', '::1'])('asks nobody on %s', (HOST) => {
    expect(readSettings({ HOST }).auth).toBe('none');
    expect(readSettings({ HOST, AUTH: 'keys' }).auth).toBe('keys');
  });

  it.each(['0.0.0.0', '::', '192.168.1.2', '127.example.com', 'localhost.example.com'])(
    'asks for API keys on %s, unless it is told not to',
    (HOST) => {
      expect(readSettings({ HOST }).auth).toBe('keys');
      expect(readSettings({ HOST, AUTH: 'none' }).auth).toBe('none');
    },
  );

  it.each([
    [{ PORT: 'http' }, 'PORT is http, which is no port.'],
    [{ PORT: '70000' }, 'PORT is 70000, which is no port.'],
    [{ AUTH: 'basic' }, 'AUTH is basic, which is not known.'],
    [{ SANDBOX: 'docker' }, 'SANDBOX is docker, which is not known.'],
    [{ LOG_FORMAT: 'xml' }, 'LOG_FORMAT is xml, which is not known.'],
    [
      { OTEL_EXPORTER_OTLP_ENDPOINT: 'collector' },
      'The configuration is wrong.\n  OTEL_EXPORTER_OTLP_ENDPOINT must be a URL as in http://localhost:4318',
    ],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is loud, which is not known.'],
    [
      { DATABASE_URL: 'a-secret' },
      'DATABASE_URL is not a URL that begins with postgres:// or postgresql://.',
    ],
    [
      { DATABASE_URL: 'mysql://root@localhost/errand' },
      'DATABASE_URL is not a URL that begins with postgres:// or postgresql://.',
    ],
    [
      { COMMAND_POLICY: '{"default": "maybe"}' },
      'The command policy is wrong: default must be "allow" or "deny"',
    ],
    [
      { LEASE_SECONDS: '0', RETENTION_DAYS: 'never' },
      'The configuration is wrong.\n  LEASE_SECONDS must be a whole number from 2 to 3600\n' +
        '  RETENTION_DAYS must be a whole number from 1 to 36500',
    ],
    [
      { SQS_ENDPOINT: 'localhost:4566' },
      'SQS_ENDPOINT is not a URL that begins with http:// or https://.',
    ],
    [{ QUEUE: 'kafka' }, 'QUEUE is kafka, which is not known.'],
    [{ RUN_WORKER: '0' }, 'RUN_WORKER is 0, which is not known.'],
    [{ QUEUE: 'rabbitmq' }, 'QUEUE=rabbitmq needs RABBITMQ_URL, which is not set.'],
    [
      { QUEUE: 'rabbitmq', RABBITMQ_URL: 'amqp:/guest:guest@mq' },
      'RABBITMQ_URL is not a URL that begins with amqp:// or amqps://.',
    ],
    [
      { QUEUE: 'rabbitmq', RABBITMQ_URL: 'http://mq' },
      'RABBITMQ_URL is not a URL that begins with amqp:// or amqps://.',
    ],
    [
      { QUEUE: 'rabbitmq', RABBITMQ_URL: 'amqp://mq', RABBITMQ_QUEUE: 'my tasks' },
      'The configuration is wrong.\n  RABBITMQ_QUEUE must be up to 200 letters, digits and any of _ . : -',
    ],
    [
      { QUEUE: 'rabbitmq', RABBITMQ_URL: 'amqp://mq', SANDBOX: 'runner' },
      'SANDBOX=runner is how commands run on AWS, where the queue is SQS.',
    ],
    [
      { WORKER_CONCURRENCY: 'all' },
      'The configuration is wrong.\n  WORKER_CONCURRENCY must be a whole number from 1 to 1000',
    ],
  ])('refuses %o before anything is started, with the remedy', (env, message) => {
    const refusal = refusalOf(env);
    expect(refusal.message).toBe(message);
    expect(refusal.remedy).not.toBe('');
  });
});

describe('refuseTakenPort', () => {
  const listenOn = (host: string, port: number) =>
    refuseTakenPort({ ...readSettings({ HOST: host }), port });

  it.each([
    ['api.invalid', 'HOST is api.invalid, a name that does not resolve.'],
    ['192.0.2.1', 'HOST is 192.0.2.1, which is no address of this machine.'],
  ])('refuses %s, and says what HOST is', async (host, message) => {
    await expect(listenOn(host, await freePort(undefined))).rejects.toMatchObject({
      message,
      remedy: expect.stringMatching(/^It is the address to listen on: HOST=127\.0\.0\.1 /),
    });
  });

  it('lets pass what can be listened on', async () => {
    await expect(listenOn('127.0.0.1', await freePort(undefined))).resolves.toBeUndefined();
  });
});
