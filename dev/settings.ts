import {
  AUTH_CHOICES,
  LOG_FORMATS,
  LOG_LEVELS,
  parseConfig,
  QUEUES,
  SANDBOX_CHOICES,
} from '../lib/config/config.ts';
import { readPolicy } from '../lib/policy/policy-file.ts';
import type { SandboxChoice } from '../lib/sandbox/open-sandbox.ts';
import { whyTaken } from './ports.ts';
import { Refusal } from './refusal.ts';

/** What a user can set for `npm start`, from environment variables. */
export interface Settings {
  readonly host: string;
  readonly port: number;
  /** Who gets in: `none` asks nobody. */
  readonly auth: (typeof AUTH_CHOICES)[number];
  /** Names under which the API may be asked for, comma-separated; empty: any. */
  readonly allowedHosts: string;
  /** Undefined: the embedded server. */
  readonly databaseUrl: string | undefined;
  /** Undefined: our own emulator. */
  readonly sqsEndpoint: string | undefined;
  /** Set with QUEUE=rabbitmq: a broker of the user's instead of SQS. */
  readonly rabbitmqUrl: string | undefined;
  /** What its queue is called. */
  readonly rabbitmqQueue: string;
  /** Whether a worker process runs here, which RabbitMQ needs and SQS has no use for. */
  readonly runWorker: boolean;
  readonly region: string;
  readonly sandbox: SandboxChoice | 'runner';
  readonly logFormat: (typeof LOG_FORMATS)[number];
}

const RABBITMQ_EXAMPLE = 'For example: RABBITMQ_URL=amqp://guest:guest@localhost:5672';

/** @throws Refusal that names the variable and shows a right value. */
export function readSettings(env: Readonly<Record<string, string | undefined>>): Settings {
  const port = Number(env.PORT || 3500);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new Refusal(`PORT is ${env.PORT}, which is no port.`, 'For example: PORT=3501 npm start');
  }
  const host = env.HOST || '127.0.0.1';
  // Whoever can reach loopback is on this machine already. Anywhere else it takes a decision.
  const auth = oneOf('AUTH', env.AUTH || (isLoopback(host) ? 'none' : 'keys'), AUTH_CHOICES);
  const sandbox = oneOf('SANDBOX', env.SANDBOX || 'auto', SANDBOX_CHOICES);
  refuseWrongPolicy(env.COMMAND_POLICY);
  oneOf('LOG_LEVEL', env.LOG_LEVEL || 'info', LOG_LEVELS);
  refuseNoUrl('DATABASE_URL', env.DATABASE_URL, 'postgres://user:password@localhost:5432/errand');
  refuseNoUrl('SQS_ENDPOINT', env.SQS_ENDPOINT, 'http://localhost:4566');
  const queue = oneOf('QUEUE', env.QUEUE || 'sqs', QUEUES);
  const rabbitmqUrl = queue === 'rabbitmq' ? env.RABBITMQ_URL || '' : undefined;
  if (rabbitmqUrl === '') {
    throw new Refusal('QUEUE=rabbitmq needs RABBITMQ_URL, which is not set.', RABBITMQ_EXAMPLE);
  }
  refuseNoUrl('RABBITMQ_URL', rabbitmqUrl, 'amqp://guest:guest@localhost:5672');
  if (queue === 'rabbitmq' && sandbox === 'runner') {
    throw new Refusal(
      'SANDBOX=runner is how commands run on AWS, where the queue is SQS.',
      'Leave out QUEUE=rabbitmq, or SANDBOX=runner.',
    );
  }
  refuseWrongTuning(env);
  return {
    host,
    port,
    auth,
    // On loopback only a website that rebinds its name to this machine would use another name.
    allowedHosts: env.ALLOWED_HOSTS || (isLoopback(host) ? 'localhost,127.0.0.1,[::1]' : ''),
    databaseUrl: env.DATABASE_URL || undefined,
    sqsEndpoint: env.SQS_ENDPOINT || undefined,
    rabbitmqUrl,
    rabbitmqQueue: env.RABBITMQ_QUEUE || 'errand',
    runWorker:
      oneOf('RUN_WORKER', env.RUN_WORKER || 'true', ['true', 'false']) === 'true' &&
      queue === 'rabbitmq',
    region: env.AWS_REGION || 'us-east-1',
    sandbox,
    logFormat: oneOf('LOG_FORMAT', env.LOG_FORMAT || 'text', LOG_FORMATS),
  };
}

const TUNING = [
  'QUEUE',
  'RABBITMQ_URL',
  'RABBITMQ_QUEUE',
  'LEASE_SECONDS',
  'TENANT_MAX_RUNNING',
  'SHUTDOWN_GRACE_SECONDS',
  'RETENTION_DAYS',
  'WORKER_CONCURRENCY',
  'WORKER_PORT',
  'METRICS',
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_TRACES_SAMPLER',
  'OTEL_TRACES_SAMPLER_ARG',
];

/** What the functions or the worker would complain of, once everything else runs. */
function refuseWrongTuning(env: Readonly<Record<string, string | undefined>>): void {
  const tuning = Object.fromEntries(TUNING.map((name) => [name, env[name]]));
  const queue = 'http://localhost/queue';
  const rest = {
    DATABASE_URL: 'postgres://localhost/errand',
    TASK_QUEUE_URL: queue,
    DEAD_LETTER_QUEUE_URL: queue,
  };
  try {
    parseConfig({ ...tuning, ...rest });
  } catch (error) {
    const complaint = error instanceof Error ? error.message : String(error);
    throw new Refusal(complaint, 'The README lists the settings.');
  }
}

/** Before anything is started: later, it would be an answer of 500. */
function refuseWrongPolicy(policy: string | undefined): void {
  if (!policy) return;
  try {
    readPolicy(policy);
  } catch (error) {
    const complaint = error instanceof Error ? error.message : String(error);
    throw new Refusal(complaint, 'docs/command-policy.md tells what may stand in COMMAND_POLICY.');
  }
}

function oneOf<T extends string>(name: string, value: string, known: readonly T[]): T {
  const found = known.find((candidate) => candidate === value);
  if (found !== undefined) return found;
  throw new Refusal(`${name} is ${value}, which is not known.`, `Known are: ${known.join(', ')}`);
}

const SPELLINGS: Readonly<Record<string, readonly string[]>> = {
  'http:': ['http:', 'https:'],
  'postgres:': ['postgres:', 'postgresql:'],
  'amqp:': ['amqp:', 'amqps:'],
};

function refuseNoUrl(name: string, value: string | undefined, example: string): void {
  const { protocol } = new URL(example);
  const schemes = SPELLINGS[protocol] ?? [protocol];
  const given = value && URL.canParse(value) ? new URL(value) : undefined;
  // `amqp:/mq` is a URL as well, and would lead to this machine.
  const isRight =
    given && schemes.includes(given.protocol) && (protocol !== 'amqp:' || given.hostname !== '');
  if (!value || isRight) return;
  // The value may hold a password, so it is not repeated.
  const kinds = schemes.map((scheme) => `${scheme}//`).join(' or ');
  throw new Refusal(
    `${name} is not a URL that begins with ${kinds}.`,
    `For example: ${name}=${example}`,
  );
}

/** The address for people and their `curl`. */
export function publicUrl({ host, port }: Settings): string {
  const everywhere = ['127.0.0.1', '::1', '0.0.0.0', '::'];
  const name = everywhere.includes(host) ? 'localhost' : host;
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`;
}

const WHERE_TO_LISTEN =
  'It is the address to listen on: HOST=127.0.0.1 for this machine alone, HOST=0.0.0.0 for all of its addresses.';

/** @throws Refusal when another program has the port, before anything is started. */
export async function refuseTakenPort({ host, port }: Settings): Promise<void> {
  const reason = await whyTaken(host, port);
  if (reason === 'EADDRINUSE') throw taken(`Port ${port} is taken by another program.`, port + 1);
  if (reason === 'EACCES') throw taken(`Port ${port} needs more rights than you have.`, 3500);
  if (reason === 'ENOTFOUND' || reason === 'EAI_AGAIN') {
    throw new Refusal(`HOST is ${host}, a name that does not resolve.`, WHERE_TO_LISTEN);
  }
  if (reason === 'EADDRNOTAVAIL') {
    throw new Refusal(`HOST is ${host}, which is no address of this machine.`, WHERE_TO_LISTEN);
  }
  if (reason !== undefined) {
    throw new Refusal(`Cannot listen on ${host}:${port} (${reason}).`, 'Set HOST and PORT.');
  }
  // `localhost` is ::1 first: a server there would get the requests that are meant for us.
  if (host === '127.0.0.1' && (await whyTaken('::1', port)) === 'EADDRINUSE') {
    throw taken(
      `Another program listens on [::1]:${port}, where http://localhost leads.`,
      port + 1,
    );
  }
}

function taken(message: string, other: number): Refusal {
  return new Refusal(message, `Take another port: PORT=${other} npm start`);
}

/** Not just whatever begins with 127: that may be a name. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
