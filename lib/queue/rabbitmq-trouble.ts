import { AMQPError } from 'rabbitmq-client';
import { QueueDiffers } from './rabbitmq-topology.ts';

/** Why a broker does not let us in, and what helps; for people, and without its password. */
export interface RabbitTrouble {
  readonly why: string;
  readonly remedy: string;
  /** Waiting does not help: it answers, and refuses us. */
  readonly isFinal: boolean;
}

type Words = Pick<RabbitTrouble, 'why' | 'remedy'>;

const NO_SUCH_NAME = { why: 'its name does not resolve', remedy: 'Is the host right?' };
const NO_WAY = {
  why: 'there is no way to it',
  remedy: 'Is the host right, and does a firewall let this machine through?',
};
const NO_ANSWER = {
  why: 'nothing answers there as RabbitMQ does',
  remedy: 'Are host and port right? AMQP has 5672, amqps:// 5671, and the management page another.',
};

const UNREACHED: Readonly<Record<string, Words>> = {
  ECONNREFUSED: {
    why: 'the connection is refused',
    remedy: 'Does RabbitMQ run there, and listen on that address and port?',
  },
  ENOTFOUND: NO_SUCH_NAME,
  EAI_AGAIN: NO_SUCH_NAME,
  EHOSTUNREACH: NO_WAY,
  ENETUNREACH: NO_WAY,
  ETIMEDOUT: NO_ANSWER,
  TIMEOUT: NO_ANSWER,
  CONNECTION_TIMEOUT: NO_ANSWER,
  CONN_CLOSE: NO_ANSWER,
  ECONNRESET: NO_ANSWER,
};

const NO_LOGIN = {
  why: 'it refuses user or password',
  remedy: 'Are they right? RabbitMQ lets the user guest in from its own machine only.',
};
const NO_VHOST = {
  why: 'it has no such virtual host, or keeps the user out of it',
  remedy: 'Is it right? rabbitmqctl add_vhost makes it, and set_permissions lets a user in.',
};
const NO_PERMISSION = {
  why: 'it does not let the user make and use the queues',
  remedy: 'rabbitmqctl set_permissions grants configure, write and read.',
};

export function rabbitTrouble(error: unknown): RabbitTrouble {
  if (error instanceof QueueDiffers)
    return { why: error.message, remedy: 'Until then nothing is sent or taken.', isFinal: true };
  const refusal = refusalOf(error);
  if (refusal) return { ...refusal, isFinal: true };
  const { code = '', message } = error as { code?: string; message?: string };
  const words = UNREACHED[code] ?? { why: message || String(error), remedy: 'Is it right?' };
  return { ...words, isFinal: false };
}

/** What waiting does not heal: credentials, the virtual host, what the user may do. */
function refusalOf(error: unknown): Words | undefined {
  if (!(error instanceof AMQPError)) return undefined;
  if (error.code === 'NOT_ALLOWED') return NO_VHOST;
  if (error.code !== 'ACCESS_REFUSED') return undefined;
  return error.message.includes('Login was refused') ? NO_LOGIN : NO_PERMISSION;
}

/** `mq.example:5672 (user app, virtual host tasks)`. */
export function brokerAt(url: string): string {
  const { protocol, hostname, port, username, pathname } = new URL(url);
  const vhost = decodeURIComponent(pathname.slice(1));
  const who = [
    ...(username ? [`user ${decodeURIComponent(username)}`] : []),
    ...(vhost && vhost !== '/' ? [`virtual host ${vhost}`] : []),
  ];
  const place = `${hostname}:${port || (protocol === 'amqps:' ? 5671 : 5672)}`;
  return who.length > 0 ? `${place} (${who.join(', ')})` : place;
}
