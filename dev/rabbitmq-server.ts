import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { dyingWithParent } from './parent-death.ts';
import { freePort } from './ports.ts';
import type { Part } from './supervisor.ts';

/** Debian's wrapper on the PATH insists on a user and on the system's folders; this one does not. */
const PROGRAMS = ['/usr/lib/rabbitmq/bin/rabbitmq-server', '/opt/rabbitmq/sbin/rabbitmq-server'];

export interface RabbitPorts {
  readonly amqp: number;
  /** Of its name server, which is to run already: see `startNameServer`. */
  readonly names: number;
  /** For other nodes and for rabbitmqctl. Its default, 20,000 more than the first, may be no port. */
  readonly distribution: number;
}

export interface RabbitServerOptions {
  /** For all that it writes. */
  readonly directory: string;
  readonly ports: RabbitPorts;
  /** Further lines of rabbitmq.conf. */
  readonly settings?: readonly string[];
  /** For Erlang, with what rabbitmq.conf has no line for. */
  readonly flags?: string;
}

/** Undefined where RabbitMQ is not installed. */
export function findRabbitServer(): string | undefined {
  return PROGRAMS.find((program) => existsSync(program));
}

export async function freeRabbitPorts(): Promise<RabbitPorts> {
  const ports = new Set<number>();
  while (ports.size < 3) ports.add(await freePort(undefined));
  const [amqp = 0, names = 0, distribution = 0] = ports;
  return { amqp, names, distribution };
}

export function rabbitUrl(port: number): string {
  return `amqp://guest:guest@127.0.0.1:${port}`;
}

/**
 * epmd, where Erlang nodes find each other. One of our own, on its own port: the one that RabbitMQ
 * would start by itself outlives it.
 */
export async function startNameServer({ names: port }: RabbitPorts): Promise<ChildProcess> {
  const [file = '', ...args] = [
    ...dyingWithParent('SIGKILL'),
    ...['epmd', '-port', String(port), '-address', '127.0.0.1'],
  ];
  const child = spawn(file, args, { stdio: 'ignore' });
  while (!(await accepts(port))) await sleep(10);
  return child;
}

/** A RabbitMQ broker on loopback, with its own node name, folders and ports. */
export function rabbitServerPart(options: RabbitServerOptions): Part {
  return {
    name: 'queue',
    stopSignal: 'SIGTERM',
    stopGraceMs: 20_000,
    launch: () => launch(options),
    ready: async (_child, signal) => {
      while (!(await accepts(options.ports.amqp))) {
        signal.throwIfAborted();
        await sleep(50);
      }
      return rabbitUrl(options.ports.amqp);
    },
  };
}

/** How to run `rabbitmqctl` against such a broker while it runs. */
export function rabbitControl({
  directory,
  ports,
}: Pick<RabbitServerOptions, 'directory' | 'ports'>) {
  const program = findRabbitServer();
  if (program === undefined) throw new Error('rabbitmq-server is not installed.');
  return { file: join(dirname(program), 'rabbitmqctl'), env: nodeEnvironment(directory, ports) };
}

/** By which Erlang nodes find, and trust, each other. */
function nodeEnvironment(directory: string, ports: RabbitPorts) {
  return {
    PATH: process.env.PATH,
    LANG: 'C.UTF-8',
    HOME: directory, // Of the cookie that lets Erlang nodes talk to each other.
    ERL_EPMD_PORT: String(ports.names),
    RABBITMQ_NODENAME: `errand-${ports.amqp}@localhost`,
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
  };
}

function launch({
  directory,
  ports,
  settings = [],
  flags = '',
}: RabbitServerOptions): ChildProcess {
  const program = findRabbitServer();
  if (program === undefined) throw new Error('rabbitmq-server is not installed.');
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  writeFileSync(at('enabled_plugins'), '[].\n');
  writeFileSync(
    at('rabbitmq.conf'),
    [
      `listeners.tcp.default = 127.0.0.1:${ports.amqp}`,
      'disk_free_limit.absolute = 50MB',
      'raft.wal_max_size_bytes = 33554432', // 512 MB unless told otherwise.
      ...settings,
      '',
    ].join('\n'),
  );
  const [file = '', ...args] = [...dyingWithParent('SIGKILL'), program];
  return spawn(file, args, {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...nodeEnvironment(directory, ports),
      // The shell becomes the broker, so that a signal to this child is one to the broker.
      RUNNING_UNDER_SYSTEMD: 'true',
      RABBITMQ_DIST_PORT: String(ports.distribution),
      ERL_CRASH_DUMP_BYTES: '0',
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} ${flags}`,
      RABBITMQ_CONFIG_FILE: at('rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: at('enabled_plugins'),
      RABBITMQ_MNESIA_BASE: at('data'),
      RABBITMQ_LOG_BASE: at('log'),
      RABBITMQ_PID_FILE: at('pid'),
      RABBITMQ_LOGS: '-',
    },
  });
}

async function accepts(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
  const accepted = await promise;
  socket.destroy();
  return accepted;
}
