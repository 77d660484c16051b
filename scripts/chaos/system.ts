import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { openLocalState } from '../../dev/local-state.ts';
import { freePort } from '../../dev/ports.ts';
import { databaseUrl } from '../../dev/postgres.ts';
import type { Progress } from '../../dev/progress.ts';
import {
  freeRabbitPorts,
  rabbitServerPart,
  rabbitUrl,
  startNameServer,
} from '../../dev/rabbitmq-server.ts';
import { readSettings } from '../../dev/settings.ts';
import { type Stack, startStack } from '../../dev/stack.ts';
import { type PartEvent, RESTART_POLICY, supervise } from '../../dev/supervisor.ts';
import { connect, type Sql } from '../../lib/db/connection.ts';

/**
 * With SQS the API, the worker and the schedules share a process; so killing it kills them all. With
 * RabbitMQ the worker is one of its own.
 */
const PARTS = {
  sqs: ['functions', 'queue', 'postgres'],
  rabbitmq: ['functions', 'worker', 'queue', 'postgres'],
} as const;
export type QueueName = keyof typeof PARTS;
export type PartName = (typeof PARTS)[QueueName][number];

const STUBBORN = { ...RESTART_POLICY, crashes: 1000, forgivenAfterMs: 0 };

/** All of errand, as `npm start` brings it up, with data and ports of its own. */
export interface System {
  readonly url: string;
  readonly parts: readonly PartName[];
  readonly sql: Sql;
  /** Whatever process this text shows in belongs to the system. */
  readonly directory: string;
  /** The process of a part that is ready now; undefined while it is starting. */
  pidOf(part: PartName): number | undefined;
  /** SIGKILL to a part that is ready, or false. */
  kill(part: PartName): boolean;
  ready(part: PartName): Promise<void>;
  stop(): Promise<void>;
}

/** @throws when it does not come up. */
export async function startSystem(queue: QueueName): Promise<System> {
  const directory = await mkdtemp(join(tmpdir(), 'errand-chaos-'));
  const project = dirname(dirname(import.meta.dirname));
  const state = openLocalState(directory);
  const port = await freePort(undefined);
  const pids = new Map<string, number>();
  const ready = new Map<string, number>();

  const progress = quietProgress(
    (name) => {
      const pid = pids.get(name);
      if (pid !== undefined) ready.set(name, pid);
    },
    (name) => ready.delete(name),
  );
  const broker =
    queue === 'rabbitmq'
      ? await startBroker(join(directory, 'rabbitmq'), (event) => {
          if (event.kind === 'launched') pids.set('queue', event.pid);
          progress.part('queue', event);
        })
      : undefined;
  const stack: Stack = startStack({
    project,
    state,
    settings: readSettings({
      PORT: String(port),
      QUEUE: queue,
      ...(broker && { RABBITMQ_URL: broker.url }),
    }),
    recorder: { add: (name, pid) => pids.set(name, pid), clear() {} },
    progress,
    restartPolicy: STUBBORN,
  });
  const stop = async () => {
    await stack.stop();
    await broker?.stop();
    await rm(directory, { recursive: true });
  };
  try {
    await stack.ready;
  } catch (error) {
    await stop();
    throw error;
  }

  const { postgres } = state.read<{ postgres: number }>('ports.json') ?? { postgres: 0 };
  const password = state.secret('postgres-password');
  const sql = connect({
    url: databaseUrl({ port: postgres, password }),
    poolMax: 4,
    prepare: true,
  });
  return {
    url: `http://127.0.0.1:${port}`,
    parts: PARTS[queue],
    sql,
    directory,
    pidOf: (part) => ready.get(part),
    kill(part) {
      const pid = ready.get(part);
      if (pid === undefined) return false;
      ready.delete(part);
      process.kill(pid, 'SIGKILL');
      return true;
    },
    async ready(part) {
      while (!ready.has(part)) await delay(50);
    },
    async stop() {
      await sql.end({ timeout: 1 });
      await stop();
    },
  };
}

/** `npm start` takes a broker that is there; this one can be killed. */
async function startBroker(directory: string, report: (event: PartEvent) => void) {
  const ports = await freeRabbitPorts();
  const names = await startNameServer(ports);
  const server = supervise(rabbitServerPart({ directory, ports }), report, STUBBORN);
  await server.ready;
  return {
    url: rabbitUrl(ports.amqp),
    async stop() {
      await server.stop();
      names.kill();
    },
  };
}

function quietProgress(
  onReady: (name: string) => void,
  onCrashed: (name: string) => void,
): Progress {
  return {
    part(name, event) {
      if (event.kind === 'ready') onReady(name);
      if (event.kind === 'crashed' || event.kind === 'gave up') onCrashed(name);
      if (event.kind === 'line' && process.env.CHAOS_LOG) console.error(`${name}: ${event.line}`);
    },
    step: async (_name, _state, run) => {
      await run();
    },
    waiting() {},
    done() {},
    missing(_name, advice) {
      console.error(advice);
    },
    note() {},
    ready() {},
    stopping() {},
  };
}
