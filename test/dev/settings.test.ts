import { describe, expect, it } from 'vitest';
import { Refusal } from '../../dev/refusal.ts';
import { readSettings } from '../../dev/settings.ts';

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
      allowedHosts: 'localhost,127.0.0.1,[::1]',
      databaseUrl: undefined,
      sqsEndpoint: undefined,
      rabbitmqUrl: undefined,
      region: 'us-east-1',
      sandbox: 'auto',
    });
  });

  it('asks for RabbitMQ only where it is the queue', () => {
    const RABBITMQ_URL = 'amqps://user:password@mq/tasks';
    expect(readSettings({ QUEUE: 'rabbitmq', RABBITMQ_URL }).rabbitmqUrl).toBe(RABBITMQ_URL);
    expect(readSettings({ RABBITMQ_URL }).rabbitmqUrl).toBeUndefined();
  });

  it('leaves the names to the user where others may connect', () => {
    expect(readSettings({ HOST: '0.0.0.0' }).allowedHosts).toBe('');
    expect(readSettings({ HOST: '0.0.0.0', ALLOWED_HOSTS: 'box' }).allowedHosts).toBe('box');
  });

  it.each([
    [{ PORT: 'http' }, 'PORT is http, which is no port.'],
    [{ PORT: '70000' }, 'PORT is 70000, which is no port.'],
    [{ SANDBOX: 'docker' }, 'SANDBOX is docker, which is not known.'],
    [{ LOG_LEVEL: 'loud' }, 'LOG_LEVEL is loud, which is not known.'],
    [{ DATABASE_URL: 'a-secret' }, 'DATABASE_URL is not a postgres:// URL.'],
    [{ DATABASE_URL: 'mysql://root@localhost/errand' }, 'DATABASE_URL is not a postgres:// URL.'],
    [{ SQS_ENDPOINT: 'localhost:4566' }, 'SQS_ENDPOINT is not a http:// URL.'],
    [{ QUEUE: 'kafka' }, 'QUEUE is kafka, which is not known.'],
    [{ QUEUE: 'rabbitmq' }, 'RABBITMQ_URL is not a amqp:// URL.'],
    [{ QUEUE: 'rabbitmq', RABBITMQ_URL: 'http://mq' }, 'RABBITMQ_URL is not a amqp:// URL.'],
  ])('refuses %o before anything is started, with the remedy', (env, message) => {
    const refusal = refusalOf(env);
    expect(refusal.message).toBe(message);
    expect(refusal.remedy).not.toBe('');
  });
});
