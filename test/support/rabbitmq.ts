import { randomUUID } from 'node:crypto';
import { type Channel, Connection, type SyncMessage } from 'rabbitmq-client';
import { afterAll, beforeAll } from 'vitest';
import { findRabbitServer } from '../../dev/rabbitmq-server.ts';
import type { RabbitSettings } from '../../lib/queue/rabbitmq-publisher.ts';
import { delayedRoute, rabbitNames } from '../../lib/queue/rabbitmq-topology.ts';
import { type Server, startRabbit } from './servers.ts';

const given = process.env.RABBITMQ_URL;

/**
 * Why a broker cannot be started here, for tests that stop theirs; undefined when it can. What only a
 * machine of a developer may lack must not be missing where it is decided whether a change lands.
 */
export const noRabbitServer = lacking(findRabbitServer() !== undefined);
/** The same for tests that do with the broker of RABBITMQ_URL. */
export const noRabbit = given === undefined ? noRabbitServer : undefined;

function lacking(found: boolean): string | undefined {
  if (found) return undefined;
  const reason =
    'RabbitMQ is tested in part or not at all: install rabbitmq-server, or set RABBITMQ_URL.';
  if (process.env.CI) throw new Error(reason);
  console.warn(reason);
  return reason;
}

/** The broker of RABBITMQ_URL, or one of the test file's own. Filled in before its first test. */
export function useRabbit(): { readonly url: string } {
  const rabbit = { url: given ?? '' };
  let server: Server | undefined;
  if (given === undefined && noRabbit === undefined) {
    beforeAll(async () => {
      server = await startRabbit();
      rabbit.url = server.url;
    }, 90_000);
    afterAll(() => server?.close());
  }
  return rabbit;
}

/** A queue that nobody else has. */
export function someQueue(url: string): RabbitSettings {
  return { url, queue: `test-${randomUUID()}` };
}

/** What an operator can do, and any other client of the broker. */
export interface Operator {
  readonly channel: Channel;
  get(queue: string): Promise<SyncMessage | undefined>;
  purge(settings: RabbitSettings): Promise<void>;
  /** Removes a queue with all that belongs to it. */
  remove(settings: RabbitSettings): Promise<void>;
  close(): Promise<void>;
}

export async function openOperator(url: string): Promise<Operator> {
  const connection = new Connection({ url, noDelay: true });
  connection.on('error', () => {});
  const channel = await connection.acquire({ emitErrorsFromChannel: true });
  channel.on('error', () => {});
  await channel.confirmSelect();
  const queues = ({ queue }: RabbitSettings) => {
    const { deadLetters, delays } = rabbitNames(queue);
    return [queue, deadLetters, ...delays];
  };
  return {
    channel,
    async get(queue) {
      return await channel.basicGet({ queue });
    },
    async purge(settings) {
      for (const queue of queues(settings)) await channel.queuePurge({ queue });
    },
    async remove(settings) {
      for (const queue of queues(settings)) await channel.queueDelete({ queue });
      const { exchange } = delayedRoute(settings.queue, 1);
      for (let level = 9; level >= 0; level--) {
        await channel.exchangeDelete({ exchange: exchange.replace(/\d$/, String(level)) });
      }
    },
    async close() {
      await channel.close();
      await connection.close();
    },
  };
}
