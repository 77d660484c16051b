import { availableParallelism } from 'node:os';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  parseAccessLevel,
  parseConfig,
  parseCorsOrigins,
  parseLogLevel,
  parseTracing,
} from '../../lib/config/config.ts';

const valid = {
  DATABASE_URL: 'postgres://errand:s3cret@db.example:5432/errand',
  TASK_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/tasks',
  DEAD_LETTER_QUEUE_URL: 'https://sqs.eu-central-1.amazonaws.com/123456789012/dead-letters',
};

/** What the parser complains about, line by line. */
function complaintsOf(env: Record<string, string>): string[] {
  try {
    parseConfig(env);
  } catch (error) {
    const [, ...complaints] = String(error).split('\n');
    return complaints.map((line) => line.trim());
  }
  throw new Error('the configuration was accepted');
}

describe('parseConfig', () => {
  it('needs a database and two queues, and knows the rest', () => {
    expect(parseConfig(valid)).toMatchObject({
      database: { poolMax: 1, prepare: true },
      queue: {
        kind: 'sqs',
        url: valid.TASK_QUEUE_URL,
        deadLetterUrl: valid.DEAD_LETTER_QUEUE_URL,
        endpoint: undefined,
        region: 'us-east-1',
      },
      auth: 'keys',
      worker: { sandbox: 'auto', leaseSeconds: 30 },
      retentionDays: 30,
    });
  });

  it('takes an empty variable for one that is not set', () => {
    const { queue, worker } = parseConfig({ ...valid, SQS_ENDPOINT: '', LEASE_SECONDS: '' });
    expect(queue).toMatchObject({ endpoint: undefined });
    expect(worker.leaseSeconds).toBe(30);
  });

  it('names everything that is missing in one message', () => {
    expect(complaintsOf({})).toEqual([
      'DATABASE_URL is not set; it must be a URL as in postgres://user:password@host:5432/errand',
      'TASK_QUEUE_URL is not set; it must be a URL as in https://sqs.us-east-1.amazonaws.com/123456789012/tasks',
      'DEAD_LETTER_QUEUE_URL is not set; it must be a URL as in https://sqs.us-east-1.amazonaws.com/123456789012/tasks',
    ]);
  });

  it('names everything that is wrong in one message', () => {
    const wrong = {
      ...valid,
      DATABASE_URL: 'mysql://db.example/errand',
      DATABASE_POOL_MAX: 'many',
      DATABASE_PREPARE: 'yes',
      TASK_QUEUE_URL: '[object Object]',
      AUTH: 'basic',
      SANDBOX: 'docker',
      LEASE_SECONDS: '1',
      WORKER_CONCURRENCY: '0',
      RETENTION_DAYS: '1.5',
    };
    expect(complaintsOf(wrong)).toEqual([
      'DATABASE_URL must begin with postgres://',
      'DATABASE_POOL_MAX must be a whole number from 1 to 100',
      'DATABASE_PREPARE must be one of true, false',
      'AUTH must be one of none, keys',
      'SANDBOX must be one of auto, namespaces, landlock, runner, unsafe-none',
      'LEASE_SECONDS must be a whole number from 2 to 3600',
      'WORKER_CONCURRENCY must be a whole number from 1 to 1000',
      'RETENTION_DAYS must be a whole number from 1 to 36500',
      'TASK_QUEUE_URL must be a URL as in https://sqs.us-east-1.amazonaws.com/123456789012/tasks',
    ]);
  });

  describe('on AWS', () => {
    const lambda = { ...valid, AWS_LAMBDA_FUNCTION_NAME: 'errand-dev-create-task' };

    it('asks for API keys', () => {
      expect(parseConfig(lambda).auth).toBe('keys');
      expect(parseConfig({ ...lambda, AUTH: 'keys' }).auth).toBe('keys');
    });

    it('refuses to ask for none, together with what else is wrong', () => {
      const refusal =
        'AUTH must not be none on AWS, where anybody may reach the API: leave it out, or set keys';
      expect(complaintsOf({ ...lambda, AUTH: 'none' })).toEqual([refusal]);
      expect(complaintsOf({ ...lambda, AUTH: 'none', LEASE_SECONDS: '1' })).toEqual([
        'LEASE_SECONDS must be a whole number from 2 to 3600',
        refusal,
      ]);
    });

    it('is not where serverless-offline pretends to be it', () => {
      expect(parseConfig({ ...lambda, IS_OFFLINE: 'true', AUTH: 'none' }).auth).toBe('none');
    });
  });

  it('needs to know the runner where commands run in one', () => {
    expect(complaintsOf({ ...valid, SANDBOX: 'runner' })).toEqual([
      'RUNNER_FUNCTION is not set; SANDBOX=runner needs it',
      'CANCELLATION_BUCKET is not set; SANDBOX=runner needs it',
    ]);
  });

  it('needs of a queue only what belongs to it', () => {
    const { DATABASE_URL } = valid;
    const RABBITMQ_URL = 'amqps://errand:s3cret@mq.example/tasks';
    expect(parseConfig({ DATABASE_URL, QUEUE: 'rabbitmq', RABBITMQ_URL })).toMatchObject({
      database: { poolMax: 10 },
      queue: { kind: 'rabbitmq', queue: 'errand' },
    });
    expect(complaintsOf({ DATABASE_URL, QUEUE: 'rabbitmq' })).toEqual([
      'RABBITMQ_URL is not set; it must be a URL as in amqp://user:password@host:5672',
    ]);
    expect(
      complaintsOf({
        DATABASE_URL,
        QUEUE: 'rabbitmq',
        RABBITMQ_URL: 'http://mq.example',
        RABBITMQ_QUEUE: 'my tasks',
      }),
    ).toEqual([
      'RABBITMQ_URL must begin with amqp:// or amqps:// and a host',
      'RABBITMQ_QUEUE must be up to 200 letters, digits and any of _ . : -',
    ]);
    expect(complaintsOf({ ...valid, QUEUE: 'kafka' })).toEqual([
      'QUEUE must be one of sqs, rabbitmq',
    ]);
  });

  it('runs several commands a processor at once, within reason', () => {
    const { worker } = parseConfig(valid);
    expect(worker.concurrency).toBe(Math.min(availableParallelism() * 4, 64));
    expect(parseConfig({ ...valid, WORKER_CONCURRENCY: '3' }).worker.concurrency).toBe(3);
  });

  it('shows the password nowhere', () => {
    const rabbit = { QUEUE: 'rabbitmq', RABBITMQ_URL: 'amqp://errand:s3cret@mq.example' };
    const config = parseConfig({ ...valid, ...rabbit });
    expect(config.database.url.reveal()).toBe(valid.DATABASE_URL);
    for (const shown of [
      JSON.stringify(config),
      inspect(config, { depth: null, showHidden: true }),
      `${config.database.url}`,
    ]) {
      expect(shown).toContain('[secret]');
      expect(shown).not.toContain('s3cret');
    }
    expect(
      complaintsOf({ ...valid, DATABASE_URL: 'postgres//errand:s3cret@db' }).join(),
    ).not.toContain('s3cret');
  });
});

describe('parseCorsOrigins', () => {
  it('takes origins as browsers send them', () => {
    const env = { CORS_ORIGINS: 'https://app.example, http://localhost:5173' };
    expect(parseConfig({ ...valid, ...env })).toBeTruthy();
    expect(parseCorsOrigins(env)).toEqual(['https://app.example', 'http://localhost:5173']);
    expect(parseCorsOrigins({})).toEqual([]);
  });

  it.each(['*', 'null', 'app.example', 'https://app.example/', 'https://APP.example'])(
    'invites nobody with %s, which the configuration complains of',
    (origin) => {
      expect(parseCorsOrigins({ CORS_ORIGINS: origin })).toEqual([]);
      expect(complaintsOf({ ...valid, CORS_ORIGINS: `https://a.example,${origin}` })).toEqual([
        'CORS_ORIGINS must be origins as in https://app.example, separated by commas',
      ]);
    },
  );
});

describe('parseTracing', () => {
  it('is for a collector, and else for none', () => {
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://localhost:4318' };
    expect(parseTracing({})).toBeUndefined();
    expect(parseTracing(env)).toEqual({
      sampler: 'parentbased_always_on',
      ratio: 1,
      perInvocation: false,
    });
    const sampled = { OTEL_TRACES_SAMPLER: 'traceidratio', OTEL_TRACES_SAMPLER_ARG: '0.1' };
    expect(parseTracing({ ...env, ...sampled, AWS_LAMBDA_FUNCTION_NAME: 'create-task' })).toEqual({
      sampler: 'traceidratio',
      ratio: 0.1,
      perInvocation: true,
    });
  });

  it('leaves it to the configuration to complain of what is wrong', () => {
    const wrong = {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'collector',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_TRACES_SAMPLER_ARG: '2',
    };
    expect(parseTracing(wrong)?.sampler).toBe('parentbased_always_on');
    expect(complaintsOf({ ...valid, ...wrong })).toEqual([
      'OTEL_EXPORTER_OTLP_ENDPOINT must be a URL as in http://localhost:4318',
      'OTEL_TRACES_SAMPLER must be one of always_on, always_off, traceidratio, ' +
        'parentbased_always_on, parentbased_always_off, parentbased_traceidratio',
      'OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1',
    ]);
  });
});

describe('parseAccessLevel', () => {
  it('tells of each request where nobody reads along', () => {
    expect(parseAccessLevel({})).toBe('info');
    expect(parseAccessLevel({ LOG_FORMAT: 'json' })).toBe('info');
    expect(parseAccessLevel({ LOG_FORMAT: 'text' })).toBe('debug');
  });
});

describe('parseLogLevel', () => {
  it('takes info for what it does not know, as the log must work first', () => {
    expect(parseLogLevel({ LOG_LEVEL: 'warn' })).toBe('warn');
    expect(parseLogLevel({ LOG_LEVEL: 'loud' })).toBe('info');
    expect(parseLogLevel({})).toBe('info');
  });
});
