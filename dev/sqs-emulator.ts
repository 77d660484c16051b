/**
 * The SQS emulator as a process of its own: `sqs-emulator.ts <port> <data directory>`. Its messages
 * are in SQLite before it answers, so a killed emulator loses none.
 */
import { subscribe } from 'node:diagnostics_channel';
import { startFauxqs } from 'fauxqs';
import { exitWithParent } from './ipc.ts';

const [port, dataDirectory] = process.argv.slice(2);
if (port === undefined || dataDirectory === undefined) {
  throw new Error('usage: sqs-emulator.ts <port> <data directory>');
}

exitWithParent();
listenOnLoopbackOnly();
await keepReturnedMessages();
const server = await startFauxqs({ port: Number(port), dataDir: dataDirectory, logger: false });
process.once('SIGTERM', async () => {
  await server.stop();
  process.exit(0);
});

/**
 * fauxqs listens on all interfaces and has no option for it, and any host that reached it could
 * queue tasks. Fastify offers each new instance on this channel.
 */
function listenOnLoopbackOnly(): void {
  type Listen = (options: { port: number; host: string }) => Promise<string>;
  subscribe('fastify.initialization', (message) => {
    const { fastify } = message as { fastify: { listen: Listen } };
    const listen = fastify.listen.bind(fastify);
    fastify.listen = (options) => listen({ ...options, host: '127.0.0.1' });
  });
}

/**
 * A visibility timeout of 0 returns a message to its queue. fauxqs 2.4.1 then writes nulls into
 * columns that must not be null, answers 500, and has lost the message until it is restarted. Its
 * package exports no more than its entry, so the class is reached through the file beside it.
 */
async function keepReturnedMessages(): Promise<void> {
  type Persistence = {
    readonly db: { prepare(sql: string): { run(messageId: string): void } };
    updateMessageReady(messageId: string): void;
  };
  const file = new URL('persistence.js', import.meta.resolve('fauxqs'));
  const { PersistenceManager } = (await import(file.href)) as {
    PersistenceManager: { prototype: Persistence };
  };
  PersistenceManager.prototype.updateMessageReady = function (this: Persistence, messageId) {
    this.db
      .prepare(
        `update sqs_messages set receipt_handle = null, visibility_deadline = null
          where message_id = ?`,
      )
      .run(messageId);
  };
}
