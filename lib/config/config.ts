import { availableParallelism } from 'node:os';
import * as z from 'zod';
import { Secret } from './secret.ts';

const wholeNumber = (min: number, max: number) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z.coerce.number({ error }).int({ error }).min(min, error).max(max, error);
};
const oneOf = <const T extends readonly string[]>(values: T) =>
  z.enum(values, { error: `must be one of ${values.join(', ')}` });
const flag = oneOf(['true', 'false']).transform((text) => text === 'true');
const url = (example: string) => {
  const missingOrWrong = ({ input }: { input?: unknown }) =>
    `${input === undefined ? 'is not set; it' : ''} must be a URL as in ${example}`.trim();
  return z.url({ error: missingOrWrong });
};
const region = z.string().default('us-east-1');
const queueUrl = url('https://sqs.us-east-1.amazonaws.com/123456789012/tasks');

export const SANDBOX_CHOICES = ['auto', 'namespaces', 'landlock', 'runner', 'unsafe-none'] as const;
/** `none`: whoever reaches the API may do everything. */
export const AUTH_CHOICES = ['none', 'keys'] as const;
export const LOG_LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;
/** `cloudwatch`: in the log, in its embedded metric format. */
export const METRICS_CHOICES = ['prometheus', 'cloudwatch', 'off'] as const;
export const QUEUES = ['sqs', 'rabbitmq'] as const;
/** `text`: for people. */
export const LOG_FORMATS = ['json', 'text'] as const;
/** https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/ */
const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

/** A task waits for its command, for Postgres and for the disk, so there are more than processors. */
const CONCURRENCY_PER_PROCESSOR = 4;
const MOST_BY_DEFAULT = 64;

const Sqs = z.object({
  QUEUE: z.literal('sqs'),
  TASK_QUEUE_URL: queueUrl,
  DEAD_LETTER_QUEUE_URL: queueUrl,
  SQS_ENDPOINT: url('http://127.0.0.1:4566').optional(),
  AWS_REGION: region,
});

const RabbitMq = z.object({
  QUEUE: z.literal('rabbitmq'),
  RABBITMQ_URL: url('amqp://user:password@host:5672')
    .regex(/^amqps?:\/\/[^/]/, 'must begin with amqp:// or amqps:// and a host')
    .transform((text) => new Secret(text)),
  RABBITMQ_QUEUE: z
    .string()
    // A name of AMQP has 255 bytes, and there are longer ones that begin with this one.
    .regex(/^[\w.:-]{1,200}$/, 'must be up to 200 letters, digits and any of _ . : -')
    .default('errand'),
});

const Queue = z
  .discriminatedUnion('QUEUE', [Sqs, RabbitMq], { error: `must be one of ${QUEUES.join(', ')}` })
  .transform((env) =>
    env.QUEUE === 'sqs'
      ? {
          kind: env.QUEUE,
          url: env.TASK_QUEUE_URL,
          deadLetterUrl: env.DEAD_LETTER_QUEUE_URL,
          endpoint: env.SQS_ENDPOINT,
          region: env.AWS_REGION,
        }
      : { kind: env.QUEUE, url: env.RABBITMQ_URL, queue: env.RABBITMQ_QUEUE },
  );

const Common = z
  .object({
    DATABASE_URL: url('postgres://user:password@host:5432/errand')
      .regex(/^postgres(ql)?:/, 'must begin with postgres://')
      .transform((text) => new Secret(text)),
    DATABASE_POOL_MAX: wholeNumber(1, 100).optional(),
    DATABASE_PREPARE: flag.default(true),
    DATABASE_CONNECT_SECONDS: wholeNumber(1, 300).default(3),

    QUEUE: z.string(),
    AWS_REGION: region,

    AUTH: oneOf(AUTH_CHOICES).default('keys'),
    // Set by Lambda, and by serverless-offline, which says so in IS_OFFLINE.
    AWS_LAMBDA_FUNCTION_NAME: z.string().optional(),
    IS_OFFLINE: z.string().optional(),

    CORS_ORIGINS: z
      .string()
      .refine(
        (text) => listIn(text).every(isOrigin),
        'must be origins as in https://app.example, separated by commas',
      )
      .optional(),

    COMMAND_POLICY: z.string().optional(),

    METRICS: oneOf(METRICS_CHOICES).optional(),
    OTEL_EXPORTER_OTLP_ENDPOINT: url('http://localhost:4318').optional(),
    OTEL_TRACES_SAMPLER: oneOf(SAMPLERS).optional(),
    OTEL_TRACES_SAMPLER_ARG: z.coerce
      .number({ error: 'must be a number from 0 to 1' })
      .min(0, 'must be a number from 0 to 1')
      .max(1, 'must be a number from 0 to 1')
      .optional(),
    SANDBOX: oneOf(SANDBOX_CHOICES).default('auto'),
    TENANT_MAX_RUNNING: wholeNumber(1, 10_000).optional(),
    RUNNER_FUNCTION: z.string().optional(),
    RUNNER_ENDPOINT: z.string().optional(),
    CANCELLATION_BUCKET: z.string().optional(),
    S3_ENDPOINT: url('http://127.0.0.1:4566').optional(),
    LEASE_SECONDS: wholeNumber(2, 3600).default(30),
    SHUTDOWN_GRACE_SECONDS: wholeNumber(0, 3600).default(1),
    WORKER_CONCURRENCY: wholeNumber(1, 1000).default(() =>
      Math.min(availableParallelism() * CONCURRENCY_PER_PROCESSOR, MOST_BY_DEFAULT),
    ),
    HOST: z.string().default('127.0.0.1'),
    WORKER_PORT: wholeNumber(1, 65_535).optional(),
    RETENTION_DAYS: wholeNumber(1, 36_500).default(30),
  })
  .refine((env) => env.AUTH !== 'none' || parseFunctionName(env) === undefined, {
    path: ['AUTH'],
    message: 'must not be none on AWS, where anybody may reach the API: leave it out, or set keys',
    // Together with the other complaints.
    when: () => true,
  })
  .superRefine((env, { addIssue }) => {
    if (env.SANDBOX !== 'runner') return;
    for (const name of ['RUNNER_FUNCTION', 'CANCELLATION_BUCKET'] as const) {
      if (env[name] !== undefined) continue;
      addIssue({ code: 'custom', path: [name], message: 'is not set; SANDBOX=runner needs it' });
    }
  })
  .transform((env) => ({
    auth: env.AUTH,
    commandPolicy: env.COMMAND_POLICY,
    database: {
      url: env.DATABASE_URL,
      // A Lambda does one thing at a time; with RabbitMQ there are none, and a process serves many.
      poolMax: env.DATABASE_POOL_MAX ?? (env.QUEUE === 'rabbitmq' ? 10 : 1),
      prepare: env.DATABASE_PREPARE,
      connectSeconds: env.DATABASE_CONNECT_SECONDS,
    },
    worker: {
      sandbox: env.SANDBOX,
      runner: {
        functionName: env.RUNNER_FUNCTION ?? '',
        endpoint: env.RUNNER_ENDPOINT,
        region: env.AWS_REGION,
        cancellations: {
          bucket: env.CANCELLATION_BUCKET ?? '',
          endpoint: env.S3_ENDPOINT,
          region: env.AWS_REGION,
        },
      },
      leaseSeconds: env.LEASE_SECONDS,
      tenantMaxRunning: env.TENANT_MAX_RUNNING,
      shutdownGraceMs: env.SHUTDOWN_GRACE_SECONDS * 1000,
      concurrency: env.WORKER_CONCURRENCY,
      host: env.HOST,
      port: env.WORKER_PORT,
    },
    retentionDays: env.RETENTION_DAYS,
  }));

interface LambdaEnv {
  readonly AWS_LAMBDA_FUNCTION_NAME?: string | undefined;
  readonly IS_OFFLINE?: string | undefined;
}

type Env = Readonly<Record<string, string | undefined>>;

/** The name of this function on AWS; undefined anywhere else. */
export function parseFunctionName(env: LambdaEnv): string | undefined {
  return env.IS_OFFLINE === 'true' ? undefined : env.AWS_LAMBDA_FUNCTION_NAME || undefined;
}

const LogLevel = z.enum(LOG_LEVELS);
const LogFormat = z.enum(LOG_FORMATS);
const Sampler = z.enum(SAMPLERS);
const Metrics = z.enum(METRICS_CHOICES);

export type Config = z.infer<typeof Common> & { readonly queue: z.infer<typeof Queue> };

/**
 * Reads the settings from environment variables; an empty variable counts as not set.
 * @throws Error that names every variable that is missing or wrong
 */
export function parseConfig(env: Env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value));
  const all = { QUEUE: 'sqs', ...set };
  const common = Common.safeParse(all);
  const queue = Queue.safeParse(all);
  if (common.success && queue.success) return { ...common.data, queue: queue.data };
  const issues = [common, queue].flatMap(({ error }) => error?.issues ?? []);
  const complaints = issues.map(({ path, message }) => `${path.join('.')} ${message}`);
  throw new Error(`The configuration is wrong.\n  ${complaints.join('\n  ')}`);
}

/** The log must work before the rest of the configuration is known to be right. */
export function parseLogLevel(env: Env) {
  return LogLevel.catch('info').parse(env.LOG_LEVEL);
}

/** Where measurements go. What is neither is complained of by `parseConfig`. */
export function parseMetrics(env: Env) {
  const usual = parseFunctionName(env) === undefined ? 'prometheus' : 'cloudwatch';
  return Metrics.catch(usual).parse(env.METRICS);
}

/**
 * How to trace; undefined where there is no collector. Its address, and what else OpenTelemetry calls
 * OTEL_EXPORTER_OTLP_... and OTEL_..., its own code reads.
 */
export function parseTracing(env: Env) {
  if (!env.OTEL_EXPORTER_OTLP_ENDPOINT) return undefined;
  return {
    sampler: Sampler.catch('parentbased_always_on').parse(env.OTEL_TRACES_SAMPLER),
    ratio: Number(env.OTEL_TRACES_SAMPLER_ARG || 1),
    perInvocation: parseFunctionName(env) !== undefined,
  };
}

/** Where people read along, what goes well is not worth a line for each request. */
export function parseAccessLevel(env: Env): 'debug' | 'info' {
  return LogFormat.catch('json').parse(env.LOG_FORMAT) === 'text' ? 'debug' : 'info';
}

/** Host names without a port, comma-separated, as in `localhost,127.0.0.1`. */
export function parseAllowedHosts(env: Env): string[] {
  return listIn(env.ALLOWED_HOSTS).map((name) => name.toLowerCase());
}

/** Origins whose pages may use the API, as in `https://app.example`. What is none invites nobody. */
export function parseCorsOrigins(env: Env): string[] {
  return listIn(env.CORS_ORIGINS).filter(isOrigin);
}

function listIn(text = ''): string[] {
  const items = text.split(',').map((item) => item.trim());
  return items.filter((item) => item !== '');
}

/** In the very form in which a browser sends it: neither a path, nor the slash before one. */
function isOrigin(text: string): boolean {
  return URL.canParse(text) && new URL(text).origin === text;
}
