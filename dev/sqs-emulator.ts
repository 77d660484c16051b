/**
 * The SQS emulator as a process of its own: `sqs-emulator.ts <port> <data directory>`. Its messages
 * are in SQLite before they are answered, so a killed emulator loses none.
 */
import { subscribe } from 'node:diagnostics_channel';
import { startFauxqs } from 'fauxqs';
import { exitWithParent } from './ipc.ts';

const [port, dataDirectory] = process.argv.slice(2);
if (port === undefined || dataDirectory === undefined) {
  throw new Error('usage: sqs-emulator.ts <port> <data directory>');
}

listenOnLoopbackOnly();
exitWithParent();
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
